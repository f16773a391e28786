/** Recipes read back from the files: as PNG texts by our own walk over chunks, as XMP by sharp. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import { decodeImage } from '../../src/engine/image.ts'
import { type Delivery, encodePictures } from '../../src/worker/pictures.ts'
import { withTexts } from '../../src/worker/png-text.ts'
import { newSpec } from '../jobs/admission.ts'

const pixels = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(90) }
const prompt = '雪地里的一只红狐狸 & <b>"fox"</b> 🦊'

/** The texts of a PNG file, by keyword; every checksum is checked. */
function textsOf(png: Uint8Array): Map<string, string> {
  const bytes = Buffer.from(png)
  const texts = new Map<string, string>()
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const [type, data] = [bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8)]
    assert.equal(
      crc32(bytes.subarray(at + 4, at + 8 + length)),
      bytes.readUInt32BE(at + 8 + length),
    )
    const end = data.indexOf(0)
    if (type === 'iTXt') {
      texts.set(data.toString('latin1', 0, end), data.toString('utf8', end + 5, length))
    }
    at += length + 12
  }
  return texts
}

async function encode(facts: Partial<Delivery> = {}): Promise<Uint8Array> {
  const spec = newSpec({
    prompt,
    asked: '红狐狸',
    parent: '0123456789',
    guidance: 3,
    negativePrompt: 'rain',
  })
  const delivery = { jobId: '7k2mz0q9xa', spec, model: 'nano', hasRecipe: true, ...facts }
  const [png] = await encodePictures([{ seed: 9, pixels }], delivery, undefined)
  return png!
}

describe('the recipe in a picture', () => {
  it('says what is needed to draw it again, Chinese included', async () => {
    const recipe: unknown = JSON.parse(textsOf(await encode()).get('zimagine')!)

    assert.deepEqual(recipe, {
      job: '7k2mz0q9xa',
      model: 'nano',
      kind: 'imagine',
      prompt,
      asked: '红狐狸',
      negativePrompt: 'rain',
      width: 512,
      height: 512,
      seed: 9,
      evaluations: 8,
      guidance: 3,
      parent: '0123456789',
    })
  })

  it('is readable by other programs', async () => {
    assert.equal(
      textsOf(await encode()).get('parameters'),
      `${prompt}\nNegative prompt: rain\nSteps: 8, CFG scale: 4, Seed: 9, Size: 512x512, Model: nano, Job: 7k2mz0q9xa`,
    )
  })

  it('tells that a model has made it, as well-formed XMP', async () => {
    const { xmp } = await sharp(await encode()).metadata()

    const text = xmp!.toString('utf8')
    assert.match(text, /DigitalSourceType="[^"]*\/trainedAlgorithmicMedia"/)
    assert.ok(text.includes('雪地里的一只红狐狸 &amp; &lt;b&gt;"fox"&lt;/b&gt; 🦊'))
  })

  it('has no word of what XML cannot say', async () => {
    const spec = newSpec({ prompt: 'a\u0001b\ud800c' })

    const { xmp } = await sharp(await encode({ spec })).metadata()

    assert.ok(xmp!.toString('utf8').includes('>ab\ufffdc<'))
  })

  it('leaves the pixels as they were', async () => {
    const { data } = await decodeImage(await encode())

    assert.equal(Buffer.compare(data, pixels.data), 0)
  })

  for (const [whose, facts] of [
    ['a private picture', { spec: newSpec({ prompt, isPrivate: true }) }],
    ['a guild that wants none', { hasRecipe: false }],
  ] as const) {
    it(`is not there for ${whose}`, async () => {
      const png = await encode(facts)

      assert.equal(textsOf(png).size, 0)
      assert.equal((await sharp(png).metadata()).xmp, undefined)
    })
  }

  it('has keywords that PNG allows', () => {
    assert.throws(() => withTexts(new Uint8Array(40), { 'a\0b': '' }), /^Error: internal: /)
  })
})
