/**
 * Texts in a PNG file: `iTXt` chunks, the only kind that holds every script.
 * Source: PNG (Third Edition), 5.3 and 11.3.3.
 */
import { crc32 } from 'node:zlib'

/** Bytes before the first chunk that may be a text: the signature and the header, always as long. */
const headerEnd = 33

/** The file with texts by keyword, before its pixels, where readers find them without decoding. */
export function withTexts(png: Uint8Array, texts: Readonly<Record<string, string>>): Uint8Array {
  const chunks = Object.entries(texts).map(([keyword, text]) => textChunk(keyword, text))
  return Buffer.concat([png.subarray(0, headerEnd), ...chunks, png.subarray(headerEnd)])
}

/** Neither compressed nor in a named language: keyword, NUL, 2 flags, 2 empty names, the text. */
function textChunk(keyword: string, text: string): Uint8Array {
  if (!/^[!-~]{1,79}$/.test(keyword)) throw new Error(`internal: ${keyword} is no PNG keyword`)
  // Careful: a NUL would end the text for some readers, and is no character of any prompt.
  const data = Buffer.from(`iTXt${keyword}\0\0\0\0\0${text.replaceAll('\0', '')}`, 'utf8')
  const chunk = Buffer.alloc(data.length + 8)
  chunk.writeUInt32BE(data.length - 4)
  data.copy(chunk, 4)
  chunk.writeUInt32BE(crc32(data), data.length + 4)
  return chunk
}
