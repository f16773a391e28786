/**
 * The tools with which hostile and merely unusual pictures are made: random pictures of a seed, their
 * files, and knives for PNG chunks, JPEG segments and EXIF. sharp writes the valid files; what it
 * would never write is put together here from the formats' specifications.
 */
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import type { Pixels } from '../../src/engine/image.ts'
import type { SeededRandom } from './seeded-random.ts'

/** A file, and what it shows; without `shows` only the shape of what it decodes to is known. */
export type Case = {
  readonly bytes: Uint8Array
  readonly name?: string
  readonly shows?: Pixels
  /** Mean difference of a byte that the format explains; 0 unless said. */
  readonly tolerance?: number
}

/** A whole number from `low` to `high`, both included. */
export const between = (random: SeededRandom, low: number, high: number): number =>
  low + random.int(high - low + 1)

/** A smooth picture that differs from all its rotations and reflections. */
export function randomPicture(random: SeededRandom): Pixels {
  const width = between(random, 17, 64)
  const height = width + random.pick([-7, -5, 3, 9])
  const share = (): number => random.int(1000) / 1000
  const waves = [0, 1, 2].map(() => ({ across: 1 + share(), down: 1 + share(), at: share() }))
  return paint(width, height, (x, y) =>
    waves.map(({ across, down, at }) =>
      Math.round(128 + 80 * Math.sin(at + (across * x) / width + (down * 2 * y) / height)),
    ),
  )
}

/** The picture with the colour of each pixel, `[red, green, blue]`. */
export function paint(
  width: number,
  height: number,
  colour: (x: number, y: number) => readonly number[],
): Pixels {
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(colour(x, y), (y * width + x) * 3)
  }
  return { width, height, data }
}

/** The colour of a pixel. */
export const colourAt = ({ width, data }: Pixels, x: number, y: number): readonly number[] => [
  ...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
]

/** The picture as sharp's input. */
export const open = ({ width, height, data }: Pixels) =>
  sharp(data, { raw: { width, height, channels: 3 } })

/** The picture without loss. */
export const asPng = (picture: Pixels) => open(picture).png().toBuffer()
/** The picture at quality 95 and full colour resolution. */
export const asJpeg = (picture: Pixels, progressive = false) =>
  open(picture).jpeg({ quality: 95, chromaSubsampling: '4:4:4', progressive }).toBuffer()
/** The picture at quality 95. */
export const asWebp = (picture: Pixels, lossless = false) =>
  open(picture).webp({ quality: 95, lossless }).toBuffer()

/** A case that shows something, and its format. */
type Encoded = Required<Omit<Case, 'name'>> & { readonly format: string }

/** A random picture in one of our formats, or in the one that is asked for. */
export async function valid(random: SeededRandom, wanted?: string): Promise<Encoded> {
  const shows = randomPicture(random)
  const format = wanted ?? random.pick(['png', 'jpeg', 'webp'])
  const isSpecial = random.int(2) === 0
  if (format === 'png') return { format, shows, bytes: await asPng(shows), tolerance: 0 }
  if (format === 'jpeg') {
    return { format, shows, bytes: await asJpeg(shows, isSpecial), tolerance: 3 }
  }
  return { format, shows, bytes: await asWebp(shows, isSpecial), tolerance: isSpecial ? 0 : 6 }
}

/** A PNG chunk with the right checksum. */
function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(12 + data.length)
  bytes.writeUInt32BE(data.length, 0)
  bytes.write(type, 4, 'latin1')
  bytes.set(data, 8)
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length)
  return bytes
}

/** A part of a PNG. */
type Chunk = { readonly type: string; readonly data: Buffer }

function chunksOf(png: Buffer): readonly Chunk[] {
  const chunks: Chunk[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const data = png.subarray(at + 8, at + 8 + png.readUInt32BE(at))
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), data })
  }
  return chunks
}

/** The PNG with other chunks, all with right checksums. */
export const rechunk = (png: Buffer, change: (chunk: Chunk) => readonly Chunk[]): Buffer =>
  Buffer.concat([
    png.subarray(0, 8),
    ...chunksOf(png)
      .flatMap(change)
      .map(({ type, data }) => chunk(type, data)),
  ])

/** The PNG with more chunks behind its header. */
export const afterHeader = (png: Buffer, ...added: readonly Chunk[]): Buffer =>
  rechunk(png, (each) => (each.type === 'IHDR' ? [each, ...added] : [each]))

/** The bytes of a text of characters below 256. */
export const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** A JPEG segment with its length. */
export function segment(marker: number, data: Uint8Array): Buffer {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(data.length + 2, 2)
  return Buffer.concat([head, data])
}

/** The JPEG with more segments behind its first marker. */
export const afterStart = (jpeg: Buffer, ...added: readonly Buffer[]): Buffer =>
  Buffer.concat([jpeg.subarray(0, 2), ...added, jpeg.subarray(2)])

/** Where the frame header (SOF0 or SOF2) of a JPEG begins. */
export const frameAt = (jpeg: Buffer): number =>
  Math.max(jpeg.indexOf(latin1('\xff\xc0\0\x11')), jpeg.indexOf(latin1('\xff\xc2\0\x11')))

/** EXIF with one entry, the orientation. */
export const exif = (orientation: number): Buffer => {
  const bytes = latin1('II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0')
  bytes.writeUInt16LE(orientation, 18)
  return bytes
}

/** Where a pixel of the stored picture belongs, by orientation. Source: EXIF 2.32, 4.6.4 A. */
const uprightOf: readonly ((x: number, y: number, right: number, bottom: number) => number[])[] = [
  (x, y) => [x, y],
  (x, y, right) => [right - x, y],
  (x, y, right, bottom) => [right - x, bottom - y],
  (x, y, _, bottom) => [x, bottom - y],
  (x, y) => [y, x],
  (x, y, right) => [right - y, x],
  (x, y, right, bottom) => [right - y, bottom - x],
  (x, y, _, bottom) => [y, bottom - x],
]

/** How a camera held in this EXIF orientation, 1 to 8, stores the picture. */
export function store(picture: Pixels, orientation: number): Pixels {
  const { width, height } = picture
  const colour = (x: number, y: number): readonly number[] => {
    const [uprightX, uprightY] = uprightOf[orientation - 1]!(x, y, width - 1, height - 1)
    return colourAt(picture, uprightX!, uprightY!)
  }
  return orientation > 4 ? paint(height, width, colour) : paint(width, height, colour)
}

/** Mean difference of a byte; Infinity for another size. */
export function distance(a: Pixels, b: Pixels): number {
  if (a.width !== b.width || a.height !== b.height) return Infinity
  return a.data.reduce((sum, byte, i) => sum + Math.abs(byte - b.data[i]!), 0) / a.data.length
}

/** How a file of a kind is made. */
export type Make = (random: SeededRandom) => Promise<Case>

type Change = (bytes: Buffer, random: SeededRandom) => Uint8Array

/** A kind made by changing a valid file; what it then shows is unknown. */
export const damaged =
  (format: string | undefined, change: Change): Make =>
  async (random) => {
    const { bytes } = await valid(random, format)
    return { bytes: change(Buffer.from(bytes), random) }
  }

/** A kind made by a change that must not touch the picture. */
export const adorned =
  (format: string | undefined, change: Change): Make =>
  async (random) => {
    const { bytes, shows, tolerance } = await valid(random, format)
    return { bytes: change(Buffer.from(bytes), random), shows, tolerance }
  }

/** The beginning of a file. */
export const cut = (bytes: Buffer, random: SeededRandom): Buffer =>
  bytes.subarray(0, between(random, 12, bytes.length - 1))

/** A file with one bit changed, in a byte from `from` to `to`. */
export function flip(
  bytes: Buffer,
  random: SeededRandom,
  from: number,
  to = bytes.length - 1,
): Buffer {
  bytes[between(random, from, to)]! ^= 1 << between(random, 0, 7)
  return bytes
}

/** Another format under the name of one of ours. */
export const renamed =
  (encode: (picture: Pixels) => Promise<Uint8Array> | Uint8Array): Make =>
  async (random) => {
    const bytes = await encode(randomPicture(random))
    return { bytes, name: random.pick(['cat.png', 'cat.jpg', 'cat.webp']) }
  }

/** A PNG chunk of a keyword and a text, or of a name and a colour profile. */
export const text = (type: string, body: Uint8Array) => ({
  type,
  data: Buffer.concat([latin1('a\0\0'), body]),
})

/** A colour profile that is none, with or without the signature of one. */
export const badProfile = (random: SeededRandom): Buffer => {
  const profile = random.bytes(between(random, 1, 600))
  if (random.int(2) === 0) profile.write('acsp', Math.min(36, profile.length), 'latin1')
  return profile
}

/** A progressive JPEG of 4096 x 4096 whose scans say "nothing new" in 40 bytes each. */
export function scanBomb(scans: number): Buffer {
  const oneCode = [1, ...Array<number>(15).fill(0)]
  const nothingNew = Buffer.concat([
    segment(0xda, Buffer.from([1, 1, 0, 1, 63, 0])),
    Buffer.alloc(30),
  ])
  return Buffer.concat([
    latin1('\xff\xd8'),
    segment(0xdb, Buffer.from([0, ...Array<number>(64).fill(1)])),
    segment(0xc2, Buffer.from([8, 16, 0, 16, 0, 1, 1, 0x11, 0])),
    segment(0xc4, Buffer.from([0x00, ...oneCode, 0x00])),
    segment(0xc4, Buffer.from([0x10, ...oneCode, 0xe0])),
    segment(0xda, Buffer.from([1, 1, 0, 0, 0, 0])),
    Buffer.alloc(2 ** 15),
    ...Array<Buffer>(scans).fill(nothingNew),
    latin1('\xff\xd9'),
  ])
}

/** An animated WebP of two frames. */
export const animation = (random: SeededRandom) => {
  const { width, height, data } = randomPicture(random)
  const frames = Buffer.concat([data, data.toReversed()])
  const raw = { width, height: 2 * height, channels: 3 as const, pageHeight: height }
  return sharp(frames, { raw })
    .webp({ loop: 0, delay: [100, 100] })
    .toBuffer()
}

/** A valid file whose header claims another size, with a right checksum. */
export const withSize = (format: 'png' | 'jpeg' | 'webp', width: number, height: number): Make =>
  damaged(format, (bytes) => {
    if (format === 'png') {
      return rechunk(bytes, (each) => {
        if (each.type !== 'IHDR') return [each]
        const data = Buffer.from(each.data)
        data.writeUInt32BE(width, 0)
        data.writeUInt32BE(height, 4)
        return [{ type: 'IHDR', data }]
      })
    }
    if (format === 'jpeg') {
      bytes.writeUInt16BE(height, frameAt(bytes) + 5)
      bytes.writeUInt16BE(width, frameAt(bytes) + 7)
    } else if (bytes.toString('latin1', 12, 16) === 'VP8L') {
      bytes.writeUInt32LE(((width - 1) | ((height - 1) << 14)) >>> 0, 21)
    } else {
      bytes.writeUInt16LE(width, 26)
      bytes.writeUInt16LE(height, 28)
    }
    return bytes
  })
