/**
 * A ZIP file of few entries, all in memory: pictures as they are, texts deflated.
 * Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (directory) and 4.3.16.
 */
import { crc32, deflateRaw } from 'node:zlib'
import { promisify } from 'node:util'

/** A file in an archive. */
export type ZipEntry = {
  /** With slashes between folders. */
  readonly name: string
  readonly bytes: Uint8Array
  /** Pictures are not worth it. */
  readonly isDeflated: boolean
}

const deflated = promisify(deflateRaw)

const version = 20
/** Names are UTF-8. */
const flags = 0x0800
/** The first of January 1980, the earliest there is: when it was made says nothing. */
const date = 0x0021

/** The bytes of an archive of less than 4 GB. */
export async function zip(entries: readonly ZipEntry[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  for (const { name, bytes, isDeflated } of entries) {
    const stored = isDeflated ? await deflated(bytes) : bytes
    const nameBytes = Buffer.from(name)
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(version, 0)
    facts.writeUInt16LE(flags, 2)
    facts.writeUInt16LE(isDeflated ? 8 : 0, 4)
    facts.writeUInt16LE(date, 8)
    facts.writeUInt32LE(crc32(bytes), 10)
    facts.writeUInt32LE(stored.length, 14)
    facts.writeUInt32LE(bytes.length, 18)
    facts.writeUInt16LE(nameBytes.length, 22)
    parts.push(Buffer.from('PK\x03\x04'), facts, nameBytes, stored)

    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    const madeBy = Buffer.from([version, 0])
    directory.push(Buffer.from('PK\x01\x02'), madeBy, facts, place, nameBytes)
    offset += 30 + nameBytes.length + stored.length
  }
  const listing = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(listing.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listing, end])
}
