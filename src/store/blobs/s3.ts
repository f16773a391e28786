/**
 * Blobs in a bucket of an S3-compatible store, addressed by path (`endpoint/bucket/key`), which all
 * of them understand. Every request may safely be made twice, so what fails in passing is made
 * again. Our SHA-256 goes along with what we send: the store refuses what arrives damaged.
 */
import { setTimeout } from 'node:timers/promises'
import { AwsClient } from 'aws4fetch'
import { UserError } from '../../core/errors.ts'
import {
  type BlobStore,
  type StoredBlob,
  checkedBytes,
  checkedKey,
  isKey,
  keyOf,
  mostBlobBytes,
} from './blob-store.ts'

/** A bucket, where in it our blobs are, and the key to it. */
export type Bucket = {
  /** Such as `https://s3.eu-central-1.amazonaws.com`. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** A path in the bucket without slashes at its ends; may be empty. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** How long to wait and how often to try; the defaults suit a store across the internet. */
export type Patience = {
  readonly requestLimitMs?: number
  readonly attempts?: number
  readonly firstPauseMs?: number
}

type RequestOptions = {
  readonly method: string
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Blobs in a bucket. @throws {UserError} blobs-unreachable: by every method */
export class S3Blobs implements BlobStore {
  readonly #client: AwsClient
  readonly #root: string
  readonly #prefix: string
  readonly #patience: Required<Patience>

  constructor(bucket: Bucket, patience: Patience = {}) {
    const { accessKeyId, secretAccessKey, region, endpoint } = bucket
    this.#client = new AwsClient({
      accessKeyId,
      secretAccessKey,
      region,
      service: 's3',
      retries: 0,
    })
    this.#root = `${endpoint.replace(/\/+$/, '')}/${encodeURIComponent(bucket.bucket)}`
    this.#prefix = bucket.prefix === '' ? '' : `${bucket.prefix}/`
    this.#patience = {
      requestLimitMs: 30_000,
      attempts: 4,
      firstPauseMs: 200,
      ...patience,
    }
  }

  async put(bytes: Uint8Array, contentType: string): Promise<string> {
    const key = keyOf(bytes, contentType)
    const headers = { 'content-type': contentType, 'x-amz-content-sha256': key.split('.')[0]! }
    await this.#request(this.#url(key), { method: 'PUT', body: bytes, headers })
    return key
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const answer = await this.#request(this.#url(key), { method: 'GET' })
    return answer === undefined ? undefined : checkedBytes(key, answer.bytes)
  }

  async has(key: string): Promise<boolean> {
    return (await this.#request(this.#url(key), { method: 'HEAD' })) !== undefined
  }

  async delete(key: string): Promise<void> {
    await this.#request(this.#url(key), { method: 'DELETE' })
  }

  async *list(): AsyncGenerator<StoredBlob> {
    let token: string | undefined
    do {
      const url = new URL(this.#root)
      url.searchParams.set('list-type', '2')
      if (this.#prefix !== '') url.searchParams.set('prefix', this.#prefix)
      if (token !== undefined) url.searchParams.set('continuation-token', token)
      const answer = await this.#request(url.href, { method: 'GET' })
      if (answer === undefined) throw this.#unreachable('404')
      const page = Buffer.from(answer.bytes).toString('utf8')
      yield* blobsOf(page, this.#prefix)
      token =
        textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextContinuationToken') : undefined
    } while (token !== undefined)
  }

  #url(key: string): string {
    const path = `${this.#prefix}${checkedKey(key)}`
    return `${this.#root}/${path.split('/').map(encodeURIComponent).join('/')}`
  }

  /** The answer, read to its end; undefined for what is not there. */
  async #request(
    url: string,
    options: RequestOptions,
  ): Promise<{ readonly bytes: Uint8Array } | undefined> {
    const { attempts, firstPauseMs } = this.#patience
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#try(url, options)
      if (answer.bytes !== undefined) return { bytes: answer.bytes }
      // Careful: a missing bucket is 404 as well, and would lose every picture without a word.
      if (answer.reason === '404' && options.method !== 'PUT' && !answer.isBucketMissing) {
        return undefined
      }
      if (attempt >= attempts || !passingReason.test(answer.reason)) {
        throw this.#unreachable(answer.reason, answer.cause)
      }
      await setTimeout(firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random()))
    }
  }

  async #try(url: string, options: RequestOptions): Promise<Answer> {
    try {
      const { body, ...rest } = options
      const response = await this.#client.fetch(url, {
        ...rest,
        // Fetch's types want bytes that no other thread shares, which ours are.
        ...(body === undefined ? {} : { body: new Uint8Array(body) }),
        signal: AbortSignal.timeout(this.#patience.requestLimitMs),
      })
      const sizeBytes = Number(response.headers.get('content-length') ?? 0)
      if (options.method !== 'HEAD' && sizeBytes > mostBlobBytes) {
        await response.body?.cancel()
        return { reason: `an answer of ${sizeBytes} bytes` }
      }
      const bytes = new Uint8Array(await response.arrayBuffer())
      if (response.ok) return { bytes }
      const isBucketMissing = Buffer.from(bytes).includes('<Code>NoSuchBucket</Code>')
      return { reason: `${response.status}`, isBucketMissing }
    } catch (error) {
      return { reason: networkReason(error), cause: error }
    }
  }

  #unreachable(reason: string, cause?: unknown): UserError {
    return new UserError('blobs-unreachable', { place: this.#root, reason }, { cause })
  }
}

type Answer =
  | { readonly bytes: Uint8Array; readonly reason?: never; readonly cause?: never }
  | {
      readonly bytes?: never
      readonly reason: string
      readonly isBucketMissing?: boolean
      readonly cause?: unknown
    }

/** Statuses and the system's codes that may be gone the next moment. */
const passingReason = /^(?:408|429|5\d\d|E[A-Z]+|UND_\w+|TimeoutError)$/

/** Fetch says only that it failed; its cause says why. */
function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error && 'code' in cause) return String(cause.code)
  return error.name === 'TimeoutError' ? error.name : error.message
}

function* blobsOf(page: string, prefix: string): Generator<StoredBlob> {
  for (const [, blob] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const key = textOf(blob!, 'Key')?.slice(prefix.length) ?? ''
    const sizeBytes = Number(textOf(blob!, 'Size'))
    const storedAt = new Date(textOf(blob!, 'LastModified') ?? Number.NaN)
    if (isKey(key) && !Number.isNaN(storedAt.getTime())) yield { key, sizeBytes, storedAt }
  }
}

/** The text of an element that holds only text. */
function textOf(xml: string, name: string): string | undefined {
  const text = xml.match(new RegExp(`<${name}>([^<]*)</${name}>`))?.[1]
  return text
    ?.replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&')
}
