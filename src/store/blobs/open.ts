/** Which place for blobs a URL means: `file:///...` or `s3://bucket/prefix?endpoint=&region=`. */
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import type { BlobStore } from './blob-store.ts'
import { FolderBlobs } from './folder.ts'
import { S3Blobs } from './s3.ts'

/** The key to a bucket; folders need none. */
export type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

/** Opens the place that a URL names. @throws {UserError} blobs-invalid */
export function openBlobs(url: string, credentials?: Credentials): BlobStore {
  const invalid = (cause?: unknown) => new UserError('blobs-invalid', { place: url }, { cause })
  const { protocol, hostname: bucket, pathname, searchParams } = parsed(url, invalid)
  if (protocol === 'file:') return new FolderBlobs(folderOf(url, invalid))
  if (protocol !== 's3:' || bucket === '' || credentials === undefined) throw invalid()
  const region = searchParams.get('region') || 'us-east-1'
  const endpoint = searchParams.get('endpoint') || `https://s3.${region}.amazonaws.com`
  if (!/^https?:$/.test(parsed(endpoint, invalid).protocol)) throw invalid()
  const prefix = decodeURIComponent(pathname).replaceAll(/^\/+|\/+$/g, '')
  return new S3Blobs({ endpoint, region, bucket, prefix, ...credentials })
}

type Invalid = (cause?: unknown) => UserError

function parsed(url: string, invalid: Invalid): URL {
  try {
    return new URL(url)
  } catch (error) {
    throw invalid(error)
  }
}

/** Careful: `file://data` would be a folder on the host `data`. */
function folderOf(url: string, invalid: Invalid): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw invalid(error)
  }
}
