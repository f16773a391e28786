/**
 * A tar archive in the plain form that every tar reads (POSIX ustar): written entry by entry behind
 * each other, read the same way, each entry held in memory at once. Only what our backups need: files,
 * names of at most 100 ASCII characters.
 * Source: POSIX.1-2024, pax, "ustar interchange format".
 */
import type { FileHandle } from 'node:fs/promises'

const blockBytes = 512
/** More than any picture, and more than the parts that tables are cut into. */
const mostEntryBytes = 128 * 2 ** 20

/** Why an archive cannot be read: it ends too early, or is something else. */
export type TarFault = 'truncated' | 'format'

/** An archive that is not whole. */
export class TarError extends Error {
  readonly fault: TarFault

  constructor(fault: TarFault) {
    super(`the archive is broken: ${fault}`)
    this.fault = fault
  }
}

/** Appends a file to the archive. */
export async function writeEntry(file: FileHandle, name: string, bytes: Uint8Array): Promise<void> {
  await file.writeFile(headerOf(name, bytes.length))
  await file.writeFile(bytes)
  await file.writeFile(Buffer.alloc(padding(bytes.length)))
}

/** Ends the archive. */
export async function writeEnd(file: FileHandle): Promise<void> {
  await file.writeFile(Buffer.alloc(2 * blockBytes))
}

/** A file in an archive; `read` may be called until the next one is asked for. */
export type TarEntry = {
  readonly name: string
  readonly sizeBytes: number
  readonly read: () => Promise<Buffer>
}

/** The files of an archive that was written to its end. @throws TarError */
export async function* readEntries(file: FileHandle): AsyncGenerator<TarEntry, void, undefined> {
  let position = 0
  for (;;) {
    const header = await readExactly(file, position, blockBytes)
    position += blockBytes
    if (header.every((byte) => byte === 0)) return
    const { name, sizeBytes } = parseHeader(header)
    const start = position
    yield { name, sizeBytes, read: () => readExactly(file, start, sizeBytes) }
    position += sizeBytes + padding(sizeBytes)
  }
}

function padding(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes
}

function headerOf(name: string, sizeBytes: number): Buffer {
  if (!/^[\w./-]{1,100}$/.test(name)) throw new Error(`internal: no name for an entry: ${name}`)
  if (sizeBytes > mostEntryBytes) throw new Error(`internal: an entry of ${sizeBytes} bytes`)
  const header = Buffer.alloc(blockBytes)
  const octal = (number: number, digits: number): string => number.toString(8).padStart(digits, '0')
  header.write(name, 0)
  header.write(`${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100) // mode, user, group
  header.write(`${octal(sizeBytes, 11)}\0${octal(0, 11)}\0`, 124) // size, time
  header.write('0', 156) // a file
  header.write('ustar\x0000', 257)
  header.write(`${octal(checksumOf(header), 6)}\0 `, 148)
  return header
}

function parseHeader(header: Buffer): { name: string; sizeBytes: number } {
  const text = (start: number, length: number): string =>
    header.toString('latin1', start, start + length).replace(/[\0 ].*$/s, '')
  const sizeBytes = Number.parseInt(text(124, 12), 8)
  const isOurs =
    text(257, 5) === 'ustar' &&
    Number.parseInt(text(148, 8), 8) === checksumOf(header) &&
    sizeBytes >= 0 &&
    sizeBytes <= mostEntryBytes
  if (!isOurs) throw new TarError('format')
  return { name: text(0, 100), sizeBytes }
}

/** The sum of a header's bytes, those of the sum itself taken as spaces. */
function checksumOf(header: Buffer): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0)
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  let read = 0
  while (read < length) {
    const { bytesRead } = await file.read(bytes, read, length - read, position + read)
    if (bytesRead === 0) throw new TarError('truncated')
    read += bytesRead
  }
  return bytes
}
