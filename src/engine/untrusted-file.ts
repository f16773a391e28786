/**
 * Files that others wrote, read under limits: a size is checked before bytes are read, text must be
 * UTF-8, JSON must say each key once, and what we quote from a file in an error is short and
 * printable.
 */
import { isUtf8 } from 'node:buffer'
import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { EngineError } from './error.ts'

/** Far above any real header or config, low enough that JSON.parse stays under a gigabyte. */
const maxJsonTokens = 4_000_000
const maxJsonDepth = 32

/** An `EngineError` file-invalid; `field` and `got` may be text straight from the file. */
export function invalidFile(
  file: string,
  field: string,
  expected: string,
  got: string,
  options?: ErrorOptions,
): EngineError {
  const params = { file, field: printable(field), expected, got: printable(got) }
  return new EngineError('file-invalid', params, options)
}

/** A value out of JSON as an error shows it: strings in quotes, an absent value as `nothing`. */
export function quote(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value)
}

/** Cuts the middle out of long text and masks what could steer a terminal or hide in a log. */
function printable(text: string): string {
  const short = text.length <= 200 ? text : `${text.slice(0, 130)}...${text.slice(-60)}`
  return short.replaceAll(/\p{C}/gu, '?')
}

/**
 * Size of a regular file in bytes; links are followed.
 * @throws {EngineError} file-missing, or file-invalid for a folder, pipe or device.
 */
export async function fileSize(file: string): Promise<number> {
  const found = await statOf(file)
  if (!found.isFile()) throw invalidFile(file, 'type', 'a regular file', typeOf(found))
  return found.size
}

/** Says so if there is no folder of that name. @throws {EngineError} file-missing, file-invalid */
export async function checkFolder(folder: string): Promise<void> {
  const found = await statOf(folder)
  if (!found.isDirectory()) throw invalidFile(folder, 'type', 'a folder', typeOf(found))
}

function statOf(path: string): Promise<Stats> {
  return stat(path).catch((cause: NodeJS.ErrnoException) => {
    const isMissing = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(cause.code ?? '')
    throw isMissing ? new EngineError('file-missing', { file: path }, { cause }) : cause
  })
}

function typeOf(found: Stats): string {
  if (found.isDirectory()) return 'a folder'
  return found.isFile() ? 'a file' : 'a pipe, socket or device'
}

/**
 * Exactly `sizeBytes` bytes from `offset`, in a buffer of their own.
 * @throws {EngineError} file-invalid if the file ends before that: it shrank since it was measured.
 */
export async function readRange(
  file: string,
  offset: number,
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(sizeBytes)
  await using handle = await open(file)
  // Careful: one read returns at most 2 GiB, and less whenever the system likes.
  for (let done = 0; done < sizeBytes;) {
    const length = Math.min(sizeBytes - done, 2 ** 30)
    const { bytesRead } = await handle.read(bytes, done, length, offset + done)
    if (bytesRead === 0) {
      throw invalidFile(file, 'size', `${offset + sizeBytes} bytes`, `${offset + done} bytes`)
    }
    done += bytesRead
  }
  return bytes
}

/**
 * The value of a JSON text. `field` names the text in errors; a repeated key is named itself.
 * @throws {EngineError} file-invalid
 */
export function parseJson(file: string, field: string, bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) throw invalidFile(file, field, 'JSON in UTF-8', 'other bytes')
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  try {
    const repeated = findRepeatedKey(text)
    if (repeated !== undefined) throw invalidFile(file, repeated, 'each key once', 'a second one')
    return JSON.parse(text)
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof RangeError) {
      throw invalidFile(file, field, 'JSON', cause.message, { cause })
    }
    throw cause
  }
}

/** Reads a whole JSON file of at most `maxBytes`. @throws {EngineError} file-missing, file-invalid */
export async function readJson(file: string, maxBytes: number): Promise<unknown> {
  const sizeBytes = await fileSize(file)
  if (sizeBytes > maxBytes) {
    throw invalidFile(file, 'size', `at most ${maxBytes} bytes`, `${sizeBytes} bytes`)
  }
  return parseJson(file, 'JSON', await readRange(file, 0, sizeBytes))
}

/**
 * The first key that an object says twice, which JSON.parse would settle silently for the last one.
 * It reads brackets and strings only and leaves the grammar to JSON.parse, so on a broken text its
 * answer means nothing. Runs first because it also bounds what JSON.parse will build.
 * @throws {RangeError} if the text nests too deeply or holds too much
 */
function findRepeatedKey(text: string): string | undefined {
  const openKeys: Set<unknown>[] = []
  let tokens = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '"') {
      const end = stringEnd(text, at)
      const keys = openKeys.at(-1)
      if (keys && isFollowedByColon(text, end)) {
        const key: unknown = JSON.parse(text.slice(at, end))
        if (keys.has(key)) return String(key)
        keys.add(key)
      }
      at = end - 1
    } else if (char === '{' || char === '[') {
      if (openKeys.push(new Set()) > maxJsonDepth) throw new RangeError('nested too deeply')
    } else if (char === '}' || char === ']') {
      openKeys.pop()
    } else if (char !== ',') {
      continue
    }
    if (++tokens > maxJsonTokens) throw new RangeError(`over ${maxJsonTokens} values`)
  }
  return undefined
}

/** Index after the closing quote of the string that opens at `start`. */
function stringEnd(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function isFollowedByColon(text: string, at: number): boolean {
  while (' \t\n\r'.includes(text[at] ?? '-')) at++
  return text[at] === ':'
}
