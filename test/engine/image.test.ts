/**
 * Pictures between files and pixels: what comes out is compared with the picture that the file was
 * made from, what is refused is refused for the right reason.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import sharp from 'sharp'
import { type Pixels, decodeImage, encodeImage } from '../../src/engine/image.ts'
import {
  afterHeader,
  asJpeg,
  asPng,
  asWebp,
  colourAt,
  distance,
  exif,
  latin1,
  open,
  paint,
  randomPicture,
  rechunk,
  scanBomb,
  store,
  withSize,
} from './image-mutations.ts'
import { refusalOf } from './refusal.ts'
import { SeededRandom } from './seeded-random.ts'

const scene = randomPicture(new SeededRandom(1))
const scenePng = await asPng(scene)
const formats = ['png', 'jpeg', 'webp'] as const
const pngMagic = '\x89PNG\r\n\x1a\n'

/** A picture of one colour. */
const plain = (colour: readonly number[]): Pixels => paint(8, 8, () => colour)

/** The colour of the first pixel that a file decodes to. */
const colourOf = async (bytes: Uint8Array) => colourAt(await decodeImage(bytes), 0, 0)

/** Asserts that two pictures are the same; Node's own comparison writes a diff for minutes. */
const same = (got: Pixels, expected: Pixels) => assert.equal(distance(got, expected), 0)

const hash = (data: Uint8Array): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 16)

describe('decodeImage', () => {
  it('gives the pixels of a png exactly', async () => {
    same(await decodeImage(scenePng), scene)
  })

  it('gives a plain array of bytes', async () => {
    const { data } = await decodeImage(scenePng)

    assert.equal(Object.getPrototypeOf(data), Uint8Array.prototype)
  })

  it('reads a file in the middle of a larger array', async () => {
    const larger = Buffer.concat([Buffer.alloc(5, 1), scenePng, Buffer.alloc(5, 1)])

    same(await decodeImage(larger.subarray(5, -5)), scene)
  })

  it('keeps pictures apart that are decoded at once', async () => {
    const pictures = Array.from({ length: 12 }, (_, i) => randomPicture(new SeededRandom(i)))
    const files = await Promise.all(pictures.map(asPng))

    const decoded = await Promise.all(files.map((file) => decodeImage(file)))
    for (const [i, picture] of pictures.entries()) same(decoded[i]!, picture)
  })

  for (let orientation = 1; orientation <= 8; orientation++) {
    it(`turns a picture of orientation ${orientation} upright`, async () => {
      const stored = await asPng(store(scene, orientation))
      const file = afterHeader(stored, { type: 'eXIf', data: exif(orientation) })

      same(await decodeImage(file), scene)
    })
  }

  it('converts display p3 to srgb', async () => {
    const file = await open(plain([200, 60, 30]))
      .withIccProfile('p3')
      .png()
      .toBuffer()
    const stored = await sharp(file, { ignoreIcc: true }).raw().toBuffer()

    assert.deepEqual([...stored.subarray(0, 3)], [185, 71, 43])
    assert.deepEqual(await colourOf(file), [200, 60, 30])
  })

  for (const profile of ['p3', 'srgb']) {
    it(`converts 16-bit ${profile} to srgb`, async () => {
      const image = open(plain([200, 60, 30]))
        .toColourspace('rgb16')
        .withIccProfile(profile)
      const [red = 0, green = 0, blue = 0] = await colourOf(await image.png().toBuffer())

      assert.ok(Math.max(Math.abs(red - 200), Math.abs(green - 60), Math.abs(blue - 30)) <= 1)
    })
  }

  it('reduces 16 bits to 8', async () => {
    const file = await open(scene).toColourspace('rgb16').png().toBuffer()

    same(await decodeImage(file), scene)
  })

  it('makes three channels of grey', async () => {
    const file = await open(plain([90, 90, 90]))
      .toColourspace('b-w')
      .png()
      .toBuffer()

    same(await decodeImage(file), plain([90, 90, 90]))
  })

  it('lays what is transparent on white', async () => {
    const rgba = Buffer.from([200, 60, 30, 255, 200, 60, 30, 128, 200, 60, 30, 0])
    const raw = { width: 3, height: 1, channels: 4 as const }
    const { data } = await decodeImage(await sharp(rgba, { raw }).png().toBuffer())

    assert.deepEqual([...data], [200, 60, 30, 227, 157, 142, 255, 255, 255])
  })

  for (const [what, encode] of [
    ['png', asPng],
    ['baseline jpeg', asJpeg],
    ['progressive jpeg', (picture: Pixels) => asJpeg(picture, true)],
    ['lossy webp', asWebp],
    ['lossless webp', (picture: Pixels) => asWebp(picture, true)],
  ] as const) {
    it(`refuses a ${what} that is cut off at any byte`, async () => {
      const file = await encode(randomPicture(new SeededRandom(2)))
      for (let length = 1; length < file.length; length++) {
        const { code, params } = await refusalOf(() => decodeImage(file.subarray(0, length)))
        // Of the first bytes nobody can tell what they are.
        const expected = length < 12 && code === 'image-unsupported' ? 'unknown' : 'truncated'
        assert.equal(params.reason ?? params.got, expected, `${length} of ${file.length} bytes`)
      }
    })
  }

  it('refuses a png with a wrong checksum in any chunk', async () => {
    for (let at = 8; at < scenePng.length; at += 12 + scenePng.readUInt32BE(at)) {
      const file = Buffer.from(scenePng)
      file[at + 11 + scenePng.readUInt32BE(at)]! ^= 1
      const { params } = await refusalOf(() => decodeImage(file))
      assert.deepEqual(params, { reason: 'wrong checksum' }, `chunk at ${at}`)
    }
  })

  it('refuses a jpeg for the number of its scans', async () => {
    const { code, params } = await refusalOf(() => decodeImage(scanBomb(101)))

    assert.deepEqual([code, params], ['image-broken', { reason: 'too many scans' }])
    assert.equal((await decodeImage(scanBomb(5))).width, 4096)
  })

  for (const marker of [0x00, 0x01, 0x02, 0xbf, 0xd0, 0xd7, 0xd8, 0xff]) {
    it(`finds scans behind marker 0x${marker.toString(16)}, which has no length`, async () => {
      const bomb = scanBomb(800)
      const first = bomb.indexOf(latin1('\xff\xda'))
      const second = bomb.indexOf(latin1('\xff\xda'), first + 2)
      const hiding = Buffer.from([0xff, marker, 0x7f, 0xff])
      const file = Buffer.concat([bomb.subarray(0, second), hiding, bomb.subarray(second)])
      const { params } = await refusalOf(() => decodeImage(file))

      assert.deepEqual(params, { reason: 'too many scans' })
    })
  }

  for (const [what, file, reason] of [
    ['no bytes', '', 'empty'],
    ['a png of an end alone', `${pngMagic}\0\0\0\0IEND\xae\x42\x60\x82`, 'chunks out of order'],
    [
      'a png of an empty header',
      `${pngMagic}\0\0\0\0IHDR\xa8\xa1\xae\x0a`,
      'header of a wrong length',
    ],
    ['a jpeg of an end alone', '\xff\xd8\xff\xd9', 'no pixels'],
    ['a jpeg of an empty frame', '\xff\xd8\xff\xc0\0\x02', 'header of a wrong length'],
    ['a jpeg of half a length', '\xff\xd8\xff\xc0\0', 'truncated'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, params } = await refusalOf(() => decodeImage(latin1(file)))

      assert.deepEqual([code, params], ['image-broken', { reason }])
    })
  }

  for (const format of formats) {
    it(`refuses a ${format} without pixels`, async () => {
      // A lossless WebP cannot say that it has none; this seed makes a lossy one.
      const { bytes } = await withSize(format, 0, 30)(new SeededRandom(5))
      const { code, params } = await refusalOf(() => decodeImage(bytes))

      assert.deepEqual([code, params], ['image-broken', { reason: 'no pixels' }])
    })
  }

  it('names the format that it refuses', async () => {
    const file = await open(scene).gif().toBuffer()
    const { code, params } = await refusalOf(() => decodeImage(file, { name: 'cat.png' }))

    assert.equal(code, 'image-unsupported')
    assert.deepEqual(params, { expected: 'png, jpeg or webp', got: 'gif' })
  })

  const names = { JPG: 'jpeg', jfif: 'jpeg', webp: 'webp', gif: 'gif', tif: 'tiff', heif: 'heic' }
  for (const [extension, expected] of Object.entries(names)) {
    it(`refuses a png that is named cat.${extension}`, async () => {
      const attempt = () => decodeImage(scenePng, { name: `cat.${extension}` })
      const { code, params } = await refusalOf(attempt)

      assert.deepEqual([code, params], ['image-unsupported', { expected, got: 'png' }])
    })
  }

  it('keeps the words of the decoder as the cause', async () => {
    const file = rechunk(scenePng, (each) => (each.type === 'IDAT' ? [] : [each]))
    const { code, params, cause } = await refusalOf(() => decodeImage(file))

    assert.deepEqual([code, params], ['image-broken', { reason: 'corrupt' }])
    assert.ok(cause instanceof Error)
  })

  it('keeps no pixels once it is done', async () => {
    await decodeImage(scenePng)

    assert.equal(sharp.cache().memory.max, 0)
  })

  it('leaves no work behind when it fails', async () => {
    const file = (await asJpeg(scene)).subarray(0, -50)
    const attempts = Array.from({ length: 20 }, () => refusalOf(() => decodeImage(file)))
    await Promise.all(attempts)

    assert.deepEqual(sharp.counters(), { queue: 0, process: 0 })
  })

  it('forbids libvips every other format', async () => {
    const gif = await open(scene).gif().toBuffer()
    const tiff = await open(scene).tiff().toBuffer()
    await decodeImage(scenePng)

    for (const file of [gif, tiff, Buffer.from('<svg width="9" height="9"/>')]) {
      await assert.rejects(sharp(file).metadata(), /unsupported image format/)
    }
  })

  for (const [unit, option, got] of [
    ['pixels', 'maxPixels', scene.width * scene.height],
    ['side', 'maxSide', Math.max(scene.width, scene.height)],
    ['bytes', 'maxBytes', scenePng.length],
  ] as const) {
    it(`lets in a picture of exactly the limit of ${unit} and none beyond`, async () => {
      const { code, params } = await refusalOf(() => decodeImage(scenePng, { [option]: got - 1 }))

      assert.deepEqual([code, params], ['image-too-large', { limit: got - 1, got, unit }])
      same(await decodeImage(scenePng, { [option]: got }), scene)
    })
  }
})

describe('encodeImage', () => {
  it('loses nothing as png', async () => {
    const side = fc.integer({ min: 1, max: 12 })
    const picture = fc.tuple(side, side).chain(([width, height]) => {
      const length = width * height * 3
      const bytes = fc.uint8Array({ minLength: length, maxLength: length })
      return bytes.map((data) => ({ width, height, data }))
    })
    const survives = fc.asyncProperty(picture, async (pixels) => {
      same(await decodeImage(await encodeImage(pixels, 'png')), pixels)
    })
    await fc.assert(survives, { numRuns: 50 })
    same(await decodeImage(await encodeImage(scene, 'png')), scene)
  })

  for (const format of formats) {
    it(`writes the same ${format} for the same pixels`, async () => {
      const copy = { ...scene, data: scene.data.slice() }

      assert.equal(hash(await encodeImage(scene, format)), hash(await encodeImage(copy, format)))
    })

    it(`writes a ${format} that shows the picture`, async () => {
      const file = await encodeImage(scene, format)

      assert.ok(distance(await decodeImage(file, { name: `cat.${format}` }), scene) < 3)
    })

    it(`writes nothing but pixels into a ${format}`, async () => {
      const { exif, icc, xmp, comments } = await sharp(await encodeImage(scene, format)).metadata()

      assert.deepEqual([exif, icc, xmp, comments], [undefined, undefined, undefined, undefined])
    })
  }

  it('keeps the colour of single pixels in a jpeg', async () => {
    const stripes = paint(16, 16, (x) => (x % 2 === 0 ? [220, 40, 40] : [40, 40, 220]))

    assert.ok(distance(await decodeImage(await encodeImage(stripes, 'jpeg')), stripes) < 4)
  })
})
