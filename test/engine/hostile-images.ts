/**
 * The kinds of files that a decoder of pictures meets, hostile ones first, then unusual ones that
 * people do send. Every file is made anew from a random picture.
 */
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import {
  type Make,
  adorned,
  afterHeader,
  afterStart,
  animation,
  asJpeg,
  asPng,
  badProfile,
  between,
  cut,
  damaged,
  exif,
  flip,
  frameAt,
  latin1,
  open,
  paint,
  randomPicture,
  rechunk,
  renamed,
  scanBomb,
  segment,
  store,
  text,
  valid,
  withSize,
} from './image-mutations.ts'

/** A kind of file; `code` is the refusal's, where only one is right. */
export type Kind = {
  readonly name: string
  readonly expected: 'fails' | 'loads' | 'either'
  readonly make: Make
  readonly code?: string
}

const fails = (name: string, make: Make, code?: string): Kind =>
  code === undefined
    ? { name, expected: 'fails', make }
    : { name, expected: 'fails', make, code: `image-${code}` }
const loads = (name: string, make: Make): Kind => ({ name, expected: 'loads', make })
const either = (name: string, make: Make): Kind => ({ name, expected: 'either', make })

/** All kinds. */
export const kinds: readonly Kind[] = [
  loads(
    'an ordinary file',
    adorned(undefined, (bytes) => bytes),
  ),
  fails('an empty file', async () => ({ bytes: Buffer.alloc(0) }), 'broken'),
  fails('a single byte', async (random) => ({ bytes: random.bytes(1) }), 'unsupported'),
  fails('a file of random bytes', async (random) => ({ bytes: random.bytes(500) })),
  either(
    'a right beginning of random bytes',
    damaged(undefined, (bytes, random) => {
      const rest = random.bytes(500)
      return Buffer.concat([bytes.subarray(0, between(random, 12, 40)), rest])
    }),
  ),
  fails(
    'more bytes than the limit',
    damaged(undefined, (bytes) => Buffer.concat([bytes, Buffer.alloc(20 * 2 ** 20)])),
    'too-large',
  ),

  fails('a truncated png', damaged('png', cut), 'broken'),
  fails('a truncated jpeg', damaged('jpeg', cut), 'broken'),
  fails('a truncated webp', damaged('webp', cut), 'broken'),
  fails(
    'a png without all of its last 12 bytes',
    damaged('png', (bytes, random) => bytes.subarray(0, -between(random, 1, 12))),
    'broken',
  ),
  fails(
    'a jpeg without its end marker',
    damaged('jpeg', (bytes, random) => bytes.subarray(0, -between(random, 1, 2))),
    'broken',
  ),
  fails(
    'a truncated webp whose size agrees',
    damaged('webp', (bytes, random) => {
      const left = cut(bytes, random)
      left.writeUInt32LE(left.length - 8, 4)
      return left
    }),
    'broken',
  ),
  either(
    'a truncated jpeg that ends properly',
    damaged('jpeg', (bytes, random) =>
      Buffer.concat([cut(bytes.subarray(0, -40), random), latin1('\xff\xd9')]),
    ),
  ),
  fails(
    'a png whose pixels are truncated, with right checksums',
    damaged('png', (bytes, random) =>
      rechunk(bytes, ({ type, data }) =>
        type === 'IDAT'
          ? [{ type, data: data.subarray(0, between(random, 0, data.length >> 1)) }]
          : [{ type, data }],
      ),
    ),
    'broken',
  ),

  fails(
    'a flipped bit in a png',
    damaged('png', (bytes, random) => flip(bytes, random, 8)),
    'broken',
  ),
  either(
    'a flipped bit in a jpeg',
    damaged('jpeg', (bytes, random) => flip(bytes, random, 3)),
  ),
  either(
    'a flipped bit in a webp',
    damaged('webp', (bytes, random) => flip(bytes, random, 12)),
  ),
  fails(
    'a flipped bit in the signature of a png',
    damaged('png', (bytes, random) => flip(bytes, random, 0, 7)),
    'unsupported',
  ),
  fails(
    'a flipped bit in the signature of a jpeg',
    damaged('jpeg', (bytes, random) => flip(bytes, random, 0, 2)),
    'unsupported',
  ),
  fails(
    'a flipped bit in the signature of a webp',
    damaged('webp', (bytes, random) => flip(bytes, random, 8, 11)),
    'unsupported',
  ),
  either(
    'a png with damaged pixels and right checksums',
    damaged('png', (bytes, random) =>
      rechunk(bytes, ({ type, data }) =>
        type === 'IDAT' ? [{ type, data: flip(Buffer.from(data), random, 2) }] : [{ type, data }],
      ),
    ),
  ),

  fails('a png of 60000 x 60000', withSize('png', 60000, 60000), 'too-large'),
  fails('a jpeg of 60000 x 60000', withSize('jpeg', 60000, 60000), 'too-large'),
  fails('a webp of 16383 x 16383', withSize('webp', 16383, 16383), 'too-large'),
  fails('a png of 20000 x 1', withSize('png', 20000, 1), 'too-large'),
  fails('a png of no width', withSize('png', 0, 30), 'broken'),
  fails('a jpeg of no height', withSize('jpeg', 30, 0), 'broken'),
  fails('a png of more rows than it has', withSize('png', 64, 4000), 'broken'),
  fails('a jpeg of more rows than it has', withSize('jpeg', 64, 4000), 'broken'),
  fails('a webp of more rows than it has', withSize('webp', 64, 4000), 'broken'),
  fails('a jpeg of 1000 empty scans', async () => ({ bytes: scanBomb(1000) }), 'broken'),
  loads(
    'a png with texts that inflate to 8 MB each',
    adorned('png', (bytes, random) => {
      const bomb = text('zTXt', deflateSync(Buffer.alloc(between(random, 6e6, 8e6))))
      return afterHeader(bytes, ...Array<typeof bomb>(20).fill(bomb))
    }),
  ),

  fails(
    'a gif',
    renamed((picture) => open(picture).gif().toBuffer()),
    'unsupported',
  ),
  fails(
    'a tiff',
    renamed((picture) => open(picture).tiff().toBuffer()),
    'unsupported',
  ),
  fails(
    'an avif',
    renamed((picture) => open(picture).avif({ effort: 0 }).toBuffer()),
    'unsupported',
  ),
  fails(
    'a bmp',
    renamed(({ width, height, data }) => {
      const head = latin1('BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0')
      return Buffer.concat([head, Buffer.from(Uint32Array.of(width, height).buffer), data])
    }),
    'unsupported',
  ),
  fails(
    'an svg',
    renamed(({ width, height }) =>
      latin1(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"/>`),
    ),
    'unsupported',
  ),
  fails(
    'a pdf',
    renamed(() => latin1('%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF')),
    'unsupported',
  ),
  fails(
    'an extension that contradicts the bytes',
    async (random) => {
      const { format, bytes } = await valid(random)
      const others = ['png', 'JPG', 'jpeg', 'jfif', 'webp', 'gif', 'heif', 'svg', 'tif'].filter(
        (extension) => extension !== format && !(format === 'jpeg' && /^j/i.test(extension)),
      )
      return { bytes, name: `cat.${random.pick(others)}` }
    },
    'unsupported',
  ),
  loads('a name that says nothing else', async (random) => {
    const { format, ...file } = await valid(random)
    const own = [`cat.${format}`, `cat.gif.${format.toUpperCase()}`, 'cat', 'cat.bin', '.', '']
    return { ...file, name: random.pick(format === 'jpeg' ? [...own, 'cat.jpg', 'cat.jfif'] : own) }
  }),
  fails(
    'an animated png',
    damaged('png', (bytes) => afterHeader(bytes, { type: 'acTL', data: Buffer.alloc(8, 1) })),
    'unsupported',
  ),
  fails('an animated webp', async (random) => ({ bytes: await animation(random) }), 'unsupported'),
  fails(
    'an animated webp that denies it',
    async (random) => {
      const bytes = await animation(random)
      bytes[20]! &= ~2
      return { bytes }
    },
    'broken',
  ),

  fails(
    'something else in front of a picture',
    damaged(undefined, (bytes, random) => {
      const front = ['%PDF-1.7\n', 'PK\x03\x04', '<html>', 'GIF89a', 'MZ', '\n']
      return Buffer.concat([latin1(random.pick(front)), bytes])
    }),
    'unsupported',
  ),
  loads(
    'a zip or a second picture behind the picture',
    adorned(undefined, (bytes, random) =>
      Buffer.concat([bytes, random.pick([latin1('PK\x03\x04'), bytes]), random.bytes(50)]),
    ),
  ),
  loads(
    'a script inside a png',
    adorned('png', (bytes) => afterHeader(bytes, text('tEXt', latin1('<?php evil(); ?>')))),
  ),
  loads(
    'a script and hidden markers inside a jpeg',
    adorned('jpeg', (bytes) =>
      afterStart(bytes, segment(0xfe, latin1('*/<script>\xff\xd9\xff\xda\xff\xc0</script>'))),
    ),
  ),
  fails(
    'a png chunk that lies about its length',
    damaged('png', (bytes, random) => {
      const at = random.pick([8, 33, bytes.indexOf(latin1('IDAT')) - 4])
      bytes.writeUInt32BE(random.pick([0, 1, 12, 99, 0x7fffffff, 0xffffffff]), at)
      return bytes
    }),
    'broken',
  ),
  fails(
    'a jpeg segment that lies about its length',
    damaged('jpeg', (bytes, random) => {
      bytes.writeUInt16BE(
        random.pick([0, 1, 2, 8, 30, 65535]),
        random.pick([4, frameAt(bytes) + 2]),
      )
      return bytes
    }),
    'broken',
  ),
  fails(
    'a webp chunk that lies about its length',
    damaged('webp', (bytes, random) => {
      bytes.writeUInt32LE(random.pick([0, 1, 9, bytes.length, 0xffffffff]), 16)
      return bytes
    }),
    'broken',
  ),
  fails(
    'a png with a chunk missing, doubled or unknown',
    damaged('png', (bytes, random) => {
      const unknown = { type: 'QQQQ', data: random.bytes(9) }
      if (random.int(5) < 2) return afterHeader(bytes, unknown)
      const victim = random.pick(['IHDR', 'IDAT'])
      const count = victim === 'IHDR' && random.int(2) === 0 ? 2 : 0
      return rechunk(bytes, (each) =>
        each.type === victim ? Array<typeof each>(count).fill(each) : [each],
      )
    }),
    'broken',
  ),
  fails(
    'a jpeg of a rare process',
    damaged('jpeg', (bytes, random) => {
      bytes[frameAt(bytes) + 1] = random.pick([0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcf])
      return bytes
    }),
    'unsupported',
  ),

  loads('a jpeg of any orientation', async (random) => {
    const shows = randomPicture(random)
    const orientation = between(random, 1, 8)
    const stored = await asJpeg(store(shows, orientation))
    const upright = segment(0xe1, Buffer.concat([latin1('Exif\0\0'), exif(orientation)]))
    return { bytes: afterStart(stored, upright), shows, tolerance: 3 }
  }),
  loads('a png of any orientation', async (random) => {
    const shows = randomPicture(random)
    const orientation = between(random, 1, 8)
    const stored = await asPng(store(shows, orientation))
    return { bytes: afterHeader(stored, { type: 'eXIf', data: exif(orientation) }), shows }
  }),
  loads('a webp of any orientation', async (random) => {
    const shows = randomPicture(random)
    const orientation = between(random, 1, 8)
    const image = open(store(shows, orientation)).webp({ lossless: true })
    return { bytes: await image.withMetadata({ orientation }).toBuffer(), shows }
  }),
  loads(
    'an orientation that does not exist',
    adorned('png', (bytes, random) =>
      afterHeader(bytes, { type: 'eXIf', data: exif(random.pick([0, 9, 255, 65535])) }),
    ),
  ),
  loads(
    'damaged exif',
    adorned('jpeg', (bytes, random) => {
      const junk = Buffer.concat([latin1('Exif\0\0'), random.bytes(between(random, 1, 90))])
      return afterStart(bytes, segment(0xe1, junk))
    }),
  ),
  loads(
    'a damaged colour profile',
    adorned('png', (bytes, random) =>
      afterHeader(bytes, text('iCCP', deflateSync(badProfile(random)))),
    ),
  ),
  loads(
    'a damaged colour profile in a jpeg',
    adorned('jpeg', (bytes, random) => {
      const body = Buffer.concat([latin1('ICC_PROFILE\0\x01\x01'), badProfile(random)])
      return afterStart(bytes, segment(0xe2, body))
    }),
  ),
  loads('a display p3 picture', async (random) => {
    const shows = randomPicture(random)
    const bytes = await open(shows).withIccProfile('p3').png().toBuffer()
    return { bytes, shows, tolerance: 1 }
  }),
  loads('a cmyk jpeg', async (random) => {
    const shows = randomPicture(random)
    const image = open(shows).toColourspace('cmyk').jpeg({ quality: 95 })
    return { bytes: await image.toBuffer(), shows, tolerance: 30 }
  }),
  loads('a 16-bit png', async (random) => {
    const shows = randomPicture(random)
    return { bytes: await open(shows).toColourspace('rgb16').png().toBuffer(), shows }
  }),
  loads('a grey picture', async (random) => {
    const { width, height, data } = randomPicture(random)
    const shows = paint(width, height, (x, y) => Array<number>(3).fill(data[(y * width + x) * 3]!))
    const image = open(shows).toColourspace(random.pick(['b-w', 'grey16']))
    const bytes = await (random.int(2) === 0 ? image.png() : image.jpeg({ quality: 95 })).toBuffer()
    return { bytes, shows, tolerance: 3 }
  }),
  loads('a palette with transparency', async (random) => {
    const width = between(random, 9, 40)
    const ink = random.bytes(3)
    const shows = paint(width, 20, (x, y) => (x < y ? [...ink] : [255, 255, 255]))
    const raw = { width, height: 20, channels: 4 as const }
    const clear = [...random.bytes(3), 0]
    const rgba = Array.from({ length: width * 20 }, (_, i) =>
      i % width < Math.floor(i / width) ? [...ink, 255] : clear,
    )
    const image = sharp(Buffer.from(rgba.flat()), { raw }).png({ palette: true })
    return { bytes: await image.toBuffer(), shows, tolerance: 1 }
  }),
  loads('an interlaced png', async (random) => {
    const shows = randomPicture(random)
    return { bytes: await open(shows).png({ progressive: true }).toBuffer(), shows }
  }),
  loads(
    'a jpeg with the index of a second picture',
    adorned('jpeg', (bytes) => {
      const index = segment(0xe2, latin1('MPF\0II*\0\x08\0\0\0\0\0\0\0\0\0'))
      return Buffer.concat([afterStart(bytes, index), bytes])
    }),
  ),
]
