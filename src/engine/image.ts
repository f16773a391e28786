/**
 * Pictures between bytes, pixels and the model's planes; the only file that knows sharp. A file of a
 * picture is hostile: its format, size and structure are read here, from its bytes, before a decoder
 * sees it, and what is refused is refused with `image-unsupported`, `image-broken` or
 * `image-too-large`. What is let in becomes plain sRGB and loses everything that is not a pixel.
 */
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { EngineError } from './error.ts'

// Every picture is seen once, so a cache of operations would only keep people's pixels in memory.
sharp.cache(false)

/** A picture of 8-bit sRGB: `data` is `[height, width, 3]`, row by row, 3 bytes a pixel. */
export type Pixels = { readonly width: number; readonly height: number; readonly data: Uint8Array }

/** The formats that we read and write. */
export type ImageFormat = 'png' | 'jpeg' | 'webp'

/** What `decodeImage` lets in. */
export type DecodeOptions = {
  /** Size of the file in bytes; 20 MiB unless said. */
  readonly maxBytes?: number
  /** Width times height; 4096 * 4096 unless said. */
  readonly maxPixels?: number
  /** Width and height, each; 16384 unless said. */
  readonly maxSide?: number
  /** The file's name, whose extension must not contradict the bytes. */
  readonly name?: string | undefined
}

/** What a file says of itself, and the bytes of it that a decoder needs. */
type Header = { readonly width: number; readonly height: number; readonly bytes: Uint8Array }

/** How the formats that people send begin; ours first, the others to name them in a refusal. */
const signatures: readonly (readonly [format: string, offset: number, magic: string])[] = [
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['webp', 8, 'WEBP'],
  ['gif', 0, 'GIF8'],
  ['tiff', 0, 'II*\0'],
  ['tiff', 0, 'MM\0*'],
  ['bmp', 0, 'BM'],
  ['avif', 4, 'ftypavi'],
  ['heic', 4, 'ftyphe'],
  ['heic', 4, 'ftypmif1'],
  ['pdf', 0, '%PDF'],
  ['svg', 0, '<'],
]

/** Extensions that are not the name of their format. */
const extensionAliases: ReadonlyMap<string, string> = new Map([
  ['jpg', 'jpeg'],
  ['jfif', 'jpeg'],
  ['tif', 'tiff'],
  ['heif', 'heic'],
])

/** PNG chunks that say which colour a pixel has or which way is up; we drop the optional others. */
const usefulChunks: ReadonlySet<string> = new Set(['tRNS', 'iCCP', 'sRGB', 'gAMA', 'cHRM', 'eXIf'])

/** Ordinary progressive files have 10 scans; each costs a walk over the picture for 25 bytes. */
const maxJpegScans = 100

/**
 * Decodes a PNG, JPEG or WebP file: turned upright as EXIF says, converted to sRGB by its colour
 * profile, reduced to 8 bits, laid on white where it is transparent.
 * Throws EngineError: `image-unsupported` for another format, an animation, a JPEG of a rare kind or
 * a name that contradicts the bytes; `image-broken` for a file that is cut off or damaged anywhere
 * that matters; `image-too-large` beyond the limits, before anything is decoded.
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<Pixels> {
  const { maxBytes = 20 * 2 ** 20, maxPixels = 4096 * 4096, maxSide = 16384, name } = options
  if (bytes.length > maxBytes) throw tooLarge(maxBytes, bytes.length, 'bytes')
  if (bytes.length === 0) throw broken('empty')
  const format = sniffFormat(bytes, name)
  const header = readHeader(bytes, format)
  const { width, height } = header
  if (width === 0 || height === 0) throw broken('no pixels')
  if (width * height > maxPixels) throw tooLarge(maxPixels, width * height, 'pixels')
  if (Math.max(width, height) > maxSide) throw tooLarge(maxSide, Math.max(width, height), 'side')

  blockOtherLoaders()
  try {
    return await decode(header, format)
  } catch (cause) {
    throw broken('corrupt', cause)
  }
}

/** Runs the decoder, which throws what it likes; its own words are in English and for developers. */
async function decode(header: Header, format: ImageFormat): Promise<Pixels> {
  const { width, height, bytes } = header
  const limits = { limitInputPixels: width * height, unlimited: false, failOn: 'warning' as const }
  const image = sharp(bytes, { ...limits, sequentialRead: true, autoOrient: true })
  const claim = await image.metadata()
  if (claim.format !== format || claim.width !== width || claim.height !== height) {
    throw new Error(`expected ${format} of ${width} x ${height}, got another header`)
  }
  image.flatten({ background: 'white' }).toColourspace('srgb')
  // Careful: sharp takes 16-bit colours that have a profile to Display P3, not to sRGB, and would
  // hand out those numbers as they are. Naming the profile of the output brings them home.
  if (claim.space === 'rgb16' && claim.hasProfile) image.withIccProfile('srgb')
  const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
  if (info.channels !== 3) throw new Error(`expected 3 channels, got ${info.channels}`)
  return { width: info.width, height: info.height, data: plainBytes(data) }
}

let otherLoadersAreBlocked = false

/**
 * Forbids libvips, for the whole process, every loader but our three. Among the others is Ultra HDR,
 * which claims JPEGs of newer phones and forgets `failOn`; JPEG reads them just as well. At the first
 * picture and not at import, so that importing this file changes nothing for others who use sharp.
 */
function blockOtherLoaders(): void {
  if (otherLoadersAreBlocked) return
  sharp.block({ operation: ['VipsForeignLoad'] })
  const ours = ['Png', 'Jpeg', 'Webp'].map((format) => `VipsForeignLoad${format}Buffer`)
  sharp.unblock({ operation: ours })
  otherLoadersAreBlocked = true
}

/** The format that the first bytes prove, if it is one of ours and `name` does not deny it. */
function sniffFormat(bytes: Uint8Array, name: string | undefined): ImageFormat {
  const head = latin1(bytes, 0, 16)
  const found = signatures.find(([, offset, magic]) => head.startsWith(magic, offset))
  const got = found?.[0] ?? 'unknown'
  if (got !== 'png' && got !== 'jpeg' && got !== 'webp') {
    throw unsupported('png, jpeg or webp', got)
  }
  const extension = /\.(\w+)$/.exec(name ?? '')?.[1]?.toLowerCase() ?? ''
  const named = extensionAliases.get(extension) ?? extension
  const isFormat = signatures.some(([format]) => format === named)
  if (isFormat && named !== got) throw unsupported(named, got)
  return got
}

function readHeader(bytes: Uint8Array, format: ImageFormat): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (format === 'png') return readPng(bytes, view)
  return format === 'jpeg' ? readJpeg(bytes, view) : readWebp(bytes, view)
}

/**
 * Walks all chunks: libpng would forgive a missing end and wrong checksums outside the pixels, and
 * would inflate compressed texts, each up to 8 MB.
 */
function readPng(bytes: Uint8Array, view: DataView): Header {
  const kept = [bytes.subarray(0, 8)]
  let type = ''
  for (let start = 8, end; type !== 'IEND'; start = end) {
    if (start + 12 > bytes.length) throw broken('truncated')
    end = start + 12 + view.getUint32(start)
    if (end > bytes.length) throw broken('truncated')
    type = latin1(bytes, start + 4, start + 8)
    const isFirst = kept.length === 1
    if (isFirst !== (type === 'IHDR')) throw broken('chunks out of order')
    if (isFirst && end !== 33) throw broken('header of a wrong length')
    if (crc32(bytes.subarray(start + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw broken('wrong checksum')
    }
    if (type === 'acTL') throw unsupported('one picture', 'animation')
    const isCritical = (bytes[start + 4]! & 0x20) === 0
    if (isCritical || usefulChunks.has(type)) kept.push(bytes.subarray(start, end))
  }
  return { width: view.getUint32(16), height: view.getUint32(20), bytes: Buffer.concat(kept) }
}

/**
 * Walks all markers as libjpeg would. Source: ITU-T T.81, B.1. Careful: what has no length must be
 * listed here in full, or a scan could hide behind the length that we read instead.
 */
function readJpeg(bytes: Uint8Array, view: DataView): Header {
  let frame: { readonly width: number; readonly height: number } | undefined
  let scans = 0
  for (let at = 2; at + 2 <= bytes.length;) {
    const marker = bytes[at + 1]!
    if (bytes[at] !== 0xff || marker === 0xff) {
      at += 1 // a scan's data, or padding before a marker
    } else if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2 // a 0xff of a scan's data, a restart, or nothing that has a length
    } else if (marker === 0xd9) {
      if (!frame) throw broken('no pixels')
      return { ...frame, bytes }
    } else {
      const length = at + 4 <= bytes.length ? view.getUint16(at + 2) : Infinity
      const end = at + 2 + length
      if (end > bytes.length) throw broken('truncated')
      if (isFrame(marker)) {
        if (marker > 0xc2) throw unsupported('baseline or progressive jpeg', `SOF${marker & 15}`)
        if (length < 8) throw broken('header of a wrong length')
        frame = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
      }
      if (marker === 0xda && ++scans > maxJpegScans) throw broken('too many scans')
      at = end
    }
  }
  throw broken('truncated')
}

/** SOF0 to SOF15; the gaps are tables, a reserved marker and the conditions of arithmetic coding. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
}

/** Source: RFC 9649, 2.3 to 2.7 and 3.4 (lossless), and RFC 6386, 9.1 (lossy). */
function readWebp(bytes: Uint8Array, view: DataView): Header {
  if (bytes.length < 30) throw broken('truncated')
  if (8 + view.getUint32(4, true) > bytes.length) throw broken('truncated')
  const kind = latin1(bytes, 12, 16)
  if (kind === 'VP8X') {
    if ((bytes[20]! & 0x02) !== 0) throw unsupported('one picture', 'animation')
    const width = 1 + (view.getUint32(24, true) & 0xffffff)
    const height = 1 + (view.getUint32(26, true) >>> 8)
    return { width, height, bytes }
  }
  if (kind === 'VP8L') {
    const packed = view.getUint32(21, true)
    return { width: 1 + (packed & 0x3fff), height: 1 + ((packed >>> 14) & 0x3fff), bytes }
  }
  const width = view.getUint16(26, true) & 0x3fff
  return { width, height: view.getUint16(28, true) & 0x3fff, bytes }
}

/**
 * Encodes a picture, the same bytes for the same pixels: PNG without loss, JPEG at quality 92 with
 * full colour resolution, WebP at quality 90. The file holds pixels only, and an XMP packet if
 * there is one to go with them.
 */
export async function encodeImage(
  pixels: Pixels,
  format: ImageFormat,
  { xmp }: { readonly xmp?: string } = {},
): Promise<Uint8Array> {
  const { width, height, data } = pixels
  const image = sharp(data, { raw: { width, height, channels: 3 } })
  if (xmp !== undefined) image.withXmp(xmp)
  if (format === 'png') image.png({ compressionLevel: 6, adaptiveFiltering: true })
  if (format === 'jpeg') image.jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
  if (format === 'webp') image.webp({ quality: 90 })
  return plainBytes(await image.toBuffer())
}

/** `size` rounded down to a multiple, but never to nothing; both in pixels. */
export function floorToMultiple(size: number, multiple: number): number {
  return Math.max(1, Math.floor(size / multiple)) * multiple
}

/**
 * Resizes with Lanczos' filter over 3 lobes, to the bit as Pillow does, because the reference
 * pipelines read pictures through Pillow. libvips' filter of that name differs: it enlarges by cubic
 * interpolation and averages before it shrinks. A picture of that size already is returned itself.
 * Source: Pillow, src/libImaging/Resample.c (MIT-CMU).
 */
export function resize(pixels: Pixels, width: number, height: number): Pixels {
  const wide = resizeRows(pixels, width)
  return wide.height === height ? wide : transpose(resizeRows(transpose(wide), height))
}

/** `[height, width, 3]` -> `[height, newWidth, 3]`, in Pillow's fixed point with 22 binary places. */
function resizeRows(pixels: Pixels, newWidth: number): Pixels {
  const { width, height, data } = pixels
  if (width === newWidth) return pixels
  const columns = Array.from({ length: newWidth }, (_, x) => lanczosWeights(width, newWidth, x))
  // Clamped as Pillow clamps: the filter's negative lobes overshoot beside edges.
  const resized = new Uint8ClampedArray(height * newWidth * 3)
  let target = 0
  for (let row = 0; row < height; row++) {
    for (const { first, weights } of columns) {
      let source = (row * width + first) * 3
      let red = 1 << 21
      let green = 1 << 21
      let blue = 1 << 21
      for (const weight of weights) {
        red += data[source++]! * weight
        green += data[source++]! * weight
        blue += data[source++]! * weight
      }
      resized[target++] = red >> 22
      resized[target++] = green >> 22
      resized[target++] = blue >> 22
    }
  }
  return { width: newWidth, height, data: new Uint8Array(resized.buffer) }
}

/** The inputs, from `first`, of which output `index` is made, with weights that sum up to 2^22. */
function lanczosWeights(inputs: number, outputs: number, index: number) {
  const scale = inputs / outputs
  const stretch = Math.max(scale, 1)
  const centre = (index + 0.5) * scale
  const first = Math.max(0, Math.trunc(centre - 3 * stretch + 0.5))
  const end = Math.min(inputs, Math.trunc(centre + 3 * stretch + 0.5))
  const exact: number[] = []
  for (let x = first; x < end; x++) exact.push(lanczos((x - centre + 0.5) / stretch))
  const sum = exact.reduce((total, weight) => total + weight, 0)
  const weights = Int32Array.from(exact, (weight) => {
    const scaled = (weight / sum) * 2 ** 22
    return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
  })
  return { first, weights }
}

function lanczos(x: number): number {
  if (x === 0) return 1
  if (x < -3 || x >= 3) return 0
  const angle = Math.PI * x
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle)
}

/** `[height, width, 3]` -> `[width, height, 3]`. */
function transpose({ width, height, data }: Pixels): Pixels {
  const turned = new Uint8Array(data.length)
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const source = (row * width + column) * 3
      const target = (column * height + row) * 3
      turned[target] = data[source]!
      turned[target + 1] = data[source + 1]!
      turned[target + 2] = data[source + 2]!
    }
  }
  return { width: height, height: width, data: turned }
}

/** Each byte's value in the model: 2 * byte / 255 - 1, rounded to float32 where diffusers does. */
const planeValues = Float32Array.from({ length: 256 }, (_, byte) => 2 * Math.fround(byte / 255) - 1)

/** `[height, width, 3]` bytes -> `[3, height, width]` in [-1, 1]. */
export function pixelsToPlanes({ width, height, data }: Pixels): Float32Array {
  const area = width * height
  const planes = new Float32Array(3 * area)
  for (let pixel = 0; pixel < area; pixel++) {
    for (let c = 0; c < 3; c++) planes[c * area + pixel] = planeValues[data[3 * pixel + c]!]!
  }
  return planes
}

/**
 * `[3, height, width]` -> `[height, width, 3]` bytes: clamp(x / 2 + 0.5, 0, 1) * 255, ties to even
 * as torch and numpy round. Values beyond [-1, 1] are clamped; NaN is an internal error, for a black
 * picture would hide it.
 */
export function planesToPixels(planes: Float32Array, width: number, height: number): Pixels {
  const area = width * height
  if (planes.length !== 3 * area) {
    throw new Error(`internal: planes of ${width} x ${height} got ${planes.length} values`)
  }
  // A clamped array does the clamp and rounds ties to even by itself.
  const bytes = new Uint8ClampedArray(3 * area)
  for (let pixel = 0; pixel < area; pixel++) {
    for (let c = 0; c < 3; c++) {
      const value = planes[c * area + pixel]!
      if (Number.isNaN(value)) throw new Error(`internal: NaN at pixel ${pixel} of plane ${c}`)
      bytes[3 * pixel + c] = Math.fround(Math.fround(value / 2 + 0.5) * 255)
    }
  }
  return { width, height, data: new Uint8Array(bytes.buffer) }
}

function unsupported(expected: string, got: string): EngineError {
  return new EngineError('image-unsupported', { expected, got })
}

function broken(reason: string, cause?: unknown): EngineError {
  return new EngineError('image-broken', { reason }, { cause })
}

function tooLarge(limit: number, got: number, unit: 'bytes' | 'pixels' | 'side'): EngineError {
  return new EngineError('image-too-large', { limit, got, unit })
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end))
}

/** The same memory without Buffer's other methods and other equality. */
function plainBytes({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}
