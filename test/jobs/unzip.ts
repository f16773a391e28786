/** Reads ZIP files as any other program would: from the directory at the end, checking every sum. */
import assert from 'node:assert/strict'
import { crc32, inflateRawSync } from 'node:zlib'

/** The files of an archive by name. */
export function unzip(bytes: Uint8Array): Map<string, Buffer> {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = archive.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  const count = archive.readUInt16LE(end + 10)
  const files = new Map<string, Buffer>()
  let at = archive.readUInt32LE(end + 16)
  for (let index = 0; index < count; index += 1) {
    assert.equal(archive.toString('latin1', at, at + 4), 'PK\x01\x02')
    const method = archive.readUInt16LE(at + 10)
    const [sum, packed, size] = [16, 20, 24].map((offset) => archive.readUInt32LE(at + offset))
    const nameLength = archive.readUInt16LE(at + 28)
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength)
    const local = archive.readUInt32LE(at + 42)
    assert.equal(archive.toString('latin1', local, local + 4), 'PK\x03\x04')
    const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
    const stored = archive.subarray(from, from + packed!)
    const content = method === 8 ? inflateRawSync(stored) : stored
    assert.equal(content.length, size)
    assert.equal(crc32(content), sum)
    files.set(name, content)
    at += 46 + nameLength
  }
  assert.equal(at, end)
  return files
}
