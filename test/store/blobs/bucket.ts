/** A bucket of a real S3-compatible server, for tests. */
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Bucket } from '../../../src/store/blobs/s3.ts'

type S3Server = { run: () => Promise<AddressInfo>; close: () => Promise<void> }
// The package has no types.
const S3rver = createRequire(import.meta.url)('@20minutes/s3rver') as new (options: {
  port: number
  address: string
  silent: boolean
  directory: string
  configureBuckets: { name: string }[]
}) => S3Server

/** Starts a server with one bucket, which keeps what it holds in a folder. */
export async function startBucket(
  directory: string,
): Promise<{ location: Omit<Bucket, 'prefix'>; close: () => Promise<void> }> {
  const name = 'pictures'
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name }],
  })
  const { port } = await server.run()
  const key = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
  const location = { endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: name }
  return { location: { ...location, ...key }, close: () => server.close() }
}
