/**
 * One contract for every place that blobs are kept in: a folder, and a bucket of a server that
 * speaks S3 and checks signatures. What only one of them can do wrong has tests of its own.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { UserError } from '../../../src/core/errors.ts'
import { type BlobStore, contentTypeOf, sweep } from '../../../src/store/blobs/blob-store.ts'
import { FolderBlobs } from '../../../src/store/blobs/folder.ts'
import { openBlobs } from '../../../src/store/blobs/open.ts'
import { S3Blobs } from '../../../src/store/blobs/s3.ts'
import { startBucket } from './bucket.ts'

const root = mkdtempSync(join(tmpdir(), 'zimagine-blobs-'))
after(() => rmSync(root, { recursive: true, force: true }))

const { location, close } = await startBucket(join(root, 's3'))
after(close)

const patience = { firstPauseMs: 1, requestLimitMs: 5000 }

let places = 0
const newFolder = (): string => join(root, `folder-${(places += 1)}`)
const newPrefix = (): string => `in ${(places += 1)}/图`

const kinds: readonly { name: string; open: () => BlobStore }[] = [
  { name: 'a folder', open: () => new FolderBlobs(newFolder()) },
  {
    name: 'a bucket',
    open: () => new S3Blobs({ ...location, prefix: newPrefix() }, patience),
  },
]

const picture = (sizeBytes = 2000): Uint8Array => randomBytes(sizeBytes)
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of blobs.list()) keys.push(key)
  return keys.toSorted()
}

const isSame = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0

for (const { name, open } of kinds) {
  describe(`blobs in ${name}`, () => {
    it('are given back as they were stored', async () => {
      const blobs = open()
      const bytes = picture(300_000)
      const key = await blobs.put(bytes, 'image/png')

      assert.ok(isSame(await blobs.get(key), bytes))
    })

    it('are named by what they hold and what it is', async () => {
      const bytes = picture()
      const key = await open().put(bytes, 'image/webp')

      assert.equal(key, `${sha256(bytes)}.webp`)
      assert.equal(contentTypeOf(key), 'image/webp')
    })

    it('are stored once, however often', async () => {
      const blobs = open()
      const bytes = picture()
      const keys = await Promise.all([1, 2, 3].map(() => blobs.put(bytes, 'image/png')))

      assert.deepEqual(await keysOf(blobs), [keys[0]])
    })

    it('may be empty', async () => {
      const blobs = open()
      const key = await blobs.put(new Uint8Array(0), 'image/png')

      assert.ok(isSame(await blobs.get(key), new Uint8Array(0)))
    })

    it('are there until they are deleted', async () => {
      const blobs = open()
      const key = await blobs.put(picture(), 'image/png')
      const before = await blobs.has(key)
      await blobs.delete(key)

      assert.deepEqual([before, await blobs.has(key)], [true, false])
      assert.equal(await blobs.get(key), undefined)
    })

    it('may be deleted twice', async () => {
      const blobs = open()
      const key = await blobs.put(picture(), 'image/png')
      await blobs.delete(key)

      await blobs.delete(key)
    })

    it('are all listed, with size and time', async () => {
      const blobs = open()
      const keys: string[] = []
      for (let size = 1; size <= 5; size += 1)
        keys.push(await blobs.put(picture(size), 'image/png'))
      const listed: { key: string; sizeBytes: number; storedAt: Date }[] = []
      for await (const blob of blobs.list()) listed.push(blob)

      assert.deepEqual(listed.map(({ key }) => key).toSorted(), keys.toSorted())
      assert.deepEqual(new Set(listed.map(({ sizeBytes }) => sizeBytes)), new Set([1, 2, 3, 4, 5]))
      assert.ok(listed.every(({ storedAt }) => Math.abs(Date.now() - storedAt.getTime()) < 60_000))
    })

    it('list as nothing where nothing was ever stored', async () => {
      assert.deepEqual(await keysOf(open()), [])
    })

    it('have keys that are no paths', async () => {
      const blobs = open()

      for (const key of ['../../etc/passwd', `${'a'.repeat(64)}.svg`, `${'a'.repeat(64)}.png/..`]) {
        await assert.rejects(blobs.get(key), /internal: not the key of a blob/)
      }
    })

    it('are swept when they are old and no one uses them', async () => {
      const blobs = open()
      const [used, unused] = [
        await blobs.put(picture(), 'image/png'),
        await blobs.put(picture(), 'image/png'),
      ]
      const usedAmong = (keys: readonly string[]) =>
        Promise.resolve(new Set(keys.filter((key) => key === used)))
      const removedOfNew = await sweep(blobs, new Date(Date.now() - 3_600_000), usedAmong)
      const removedOfOld = await sweep(blobs, new Date(Date.now() + 3_600_000), usedAmong)

      assert.deepEqual([removedOfNew, removedOfOld], [0, 1])
      assert.deepEqual([await blobs.has(used), await blobs.has(unused)], [true, false])
    })
  })
}

describe('blobs in a folder', () => {
  it('are read by their owner alone, and leave no drafts', async () => {
    const folder = newFolder()
    const key = await new FolderBlobs(folder).put(picture(), 'image/png')
    const names = await readdir(join(folder, key.slice(0, 2), key.slice(2, 4)))

    assert.deepEqual(names, [key])
    assert.equal(statSync(join(folder, key.slice(0, 2))).mode & 0o077, 0)
  })

  it('say so when they were damaged, and are mended by storing them again', async () => {
    const folder = newFolder()
    const blobs = new FolderBlobs(folder)
    const bytes = picture()
    const key = await blobs.put(bytes, 'image/png')
    writeFileSync(join(folder, key.slice(0, 2), key.slice(2, 4), key), bytes.subarray(1))

    await assert.rejects(blobs.get(key), /is damaged/)
    await blobs.put(bytes, 'image/png')
    assert.ok(isSame(await blobs.get(key), bytes))
  })

  it('count as new when they are stored again', async () => {
    const folder = newFolder()
    const blobs = new FolderBlobs(folder)
    const bytes = picture()
    const key = await blobs.put(bytes, 'image/png')
    utimesSync(join(folder, key.slice(0, 2), key.slice(2, 4), key), 1000, 1000)
    await blobs.put(bytes, 'image/png')

    assert.equal(await sweep(blobs, new Date(2_000_000), () => Promise.resolve(new Set())), 0)
  })
})

describe('blobs in a bucket', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void

  /** A store that answers as it is told; gives back blobs in it, and how many requests came. */
  async function told(t: TestContext, handler: Handler) {
    const requests: string[] = []
    const server = createServer((request, response) => {
      requests.push(request.method!)
      request.resume().once('end', () => handler(request, response, requests.length))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const bucket = { ...location, endpoint, prefix: '' }
    return { blobs: new S3Blobs(bucket, { ...patience, requestLimitMs: 200 }), requests }
  }

  const isUnreachable = (reason: string) => (error: unknown) =>
    error instanceof UserError &&
    error.code === 'blobs-unreachable' &&
    error.params.reason === reason

  it('are asked for again when the store was busy, broke the line or said nothing', async (t) => {
    const { blobs, requests } = await told(t, (_, response, count) => {
      if (count === 1) response.writeHead(503).end()
      else if (count === 2) response.destroy()
      else if (count === 4) response.end()
    })
    await blobs.put(picture(), 'image/png')

    assert.equal(requests.length, 4)
  })

  it('are given up after four tries', async (t) => {
    const { blobs, requests } = await told(t, (_, response) => response.writeHead(500).end())

    await assert.rejects(blobs.put(picture(), 'image/png'), isUnreachable('500'))
    assert.equal(requests.length, 4)
  })

  it('are asked for once where the answer would stay the same', async (t) => {
    const { blobs, requests } = await told(t, (_, response) => response.writeHead(403).end())

    await assert.rejects(blobs.get(`${'a'.repeat(64)}.png`), isUnreachable('403'))
    assert.equal(requests.length, 1)
  })

  it('say so when the store gives back something else', async (t) => {
    const { blobs } = await told(t, (_, response) => response.end('something else'))

    await assert.rejects(blobs.get(`${'a'.repeat(64)}.png`), /is damaged/)
  })

  it('are not read when they are larger than any picture', async (t) => {
    const { blobs } = await told(t, (_, response) => {
      response.writeHead(200, { 'content-length': 2 ** 33 })
      response.write('x')
    })

    await assert.rejects(
      blobs.get(`${'a'.repeat(64)}.png`),
      isUnreachable(`an answer of ${2 ** 33} bytes`),
    )
  })

  // The server of the other tests cannot page: its tokens need a cipher that OpenSSL 3 has not.
  it('are listed page by page', async (t) => {
    const [one, other] = [`${'a'.repeat(64)}.png`, `${'b'.repeat(64)}.png`]
    const page = (key: string, rest: string): string =>
      `<ListBucketResult>${rest}<Contents><Key>${key}</Key><Size>7</Size>` +
      `<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>`
    const more =
      '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b=</NextContinuationToken>'
    const { blobs, requests } = await told(t, ({ url }, response) => {
      const token = new URL(url!, 'http://host').searchParams.get('continuation-token')
      if (token === null) response.end(page(one, more))
      else response.end(page(token === 'a&b=' ? other : one, '<IsTruncated>false</IsTruncated>'))
    })

    assert.deepEqual(await keysOf(blobs), [one, other])
    assert.equal(requests.length, 2)
  })

  it('refuse a wrong secret', async () => {
    const bucket = { ...location, secretAccessKey: 'wrong', prefix: '' }

    await assert.rejects(
      new S3Blobs(bucket, patience).put(picture(), 'image/png'),
      isUnreachable('403'),
    )
  })

  it('do not take a missing bucket for an empty one', async () => {
    const blobs = new S3Blobs({ ...location, bucket: 'none', prefix: '' }, patience)

    await assert.rejects(blobs.put(picture(), 'image/png'), isUnreachable('404'))
    await assert.rejects(blobs.get(`${'a'.repeat(64)}.png`), isUnreachable('404'))
    await assert.rejects(keysOf(blobs), isUnreachable('404'))
  })
})

describe('openBlobs', () => {
  const isInvalid = (error: unknown) => error instanceof UserError && error.code === 'blobs-invalid'

  it('opens a folder', async () => {
    const folder = newFolder()
    const key = await openBlobs(pathToFileURL(folder).href).put(picture(), 'image/png')

    assert.ok(await new FolderBlobs(folder).has(key))
  })

  it('opens a bucket at its endpoint', async () => {
    const url = `s3://pictures/some/where?endpoint=${encodeURIComponent(location.endpoint)}`
    const key = await openBlobs(url, location).put(picture(), 'image/png')
    const prefix = 'some/where'

    assert.ok(await new S3Blobs({ ...location, prefix }, patience).has(key))
  })

  it('refuses what is neither, and a bucket without a key', () => {
    for (const url of ['/data', 'ftp://host/data', 's3://', 's3://b?endpoint=none', 'file://h/d']) {
      assert.throws(() => openBlobs(url, location), isInvalid, url)
    }
    assert.throws(() => openBlobs('s3://bucket'), isInvalid)
  })
})
