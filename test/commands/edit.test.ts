/** `edit`: which pictures may be changed by whom, what becomes of the words, hostile files. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import sharp from 'sharp'
import type { PictureOption } from '../../src/chat/command.ts'
import { saveMember } from '../../src/store/guilds.ts'
import { newName, refusalOf } from '../jobs/admission.ts'
import { asked, blobs, database, drawn, newContext, newPicture, next, run } from './context.ts'

const cutOff = (await newPicture()).slice(0, 60)

const upload = async (owner: string, bytes?: Uint8Array): Promise<PictureOption> => ({
  kind: 'upload',
  bytes: bytes ?? (await newPicture()),
  fileName: 'picture',
  owner,
})

describe('edit', () => {
  it('adds the words to those of the picture, and says so', async () => {
    const context = await newContext()
    const parent = await drawn(context, { prompt: 'a red fox --style sketch --steps 6' })
    const image = { kind: 'ours', job: parent.id, picture: 1 } as const
    const { job, message } = await asked(await next(context), 'edit', {
      instruction: 'in the snow',
      image,
    })
    const { kind, asked: said, style, evaluations, parent: from } = job.spec
    assert.deepEqual(
      { kind, said, style, evaluations, from },
      {
        kind: 'edit',
        said: 'a red fox, in the snow',
        style: 'sketch',
        evaluations: 6,
        from: parent.id,
      },
    )
    assert.match(message.text, /image-to-image for now/)
  })

  it('starts from the very picture, at its size', async () => {
    const context = await newContext()
    const parent = await drawn(context, { prompt: 'a red fox --n 2 --size 320x192' })
    const { job } = await asked(await next(context), 'edit', {
      instruction: 'in the snow',
      job: parent.id,
      picture: 2,
    })
    const { image, width, height, count } = job.spec
    assert.deepEqual([image, width, height, count], [parent.resultKeys[1], 320, 192, 1])
  })

  it('puts a Chinese comma before Chinese words', async () => {
    const context = await newContext()
    const parent = await drawn(context, { prompt: '一只狐狸' })
    const { job } = await asked(await next(context), 'edit', {
      instruction: '下雪',
      job: parent.id,
    })
    assert.equal(job.spec.prompt, '一只狐狸，下雪')
  })

  it('takes raw words alone', async () => {
    const context = await newContext()
    const parent = await drawn(context)
    const { job } = await asked(await next(context), 'edit', {
      instruction: 'a blue bear --raw',
      job: parent.id,
    })
    assert.equal(job.spec.prompt, 'a blue bear')
  })

  it('means the last picture when none is named', async () => {
    const context = await newContext()
    const parent = await drawn(context)
    const { job } = await asked(await next(context), 'edit', { instruction: 'in the snow' })
    assert.equal(job.spec.parent, parent.id)
  })

  it('of a private picture stays private', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a red fox --private' })
    const { job } = await asked(await next(context), 'edit', { instruction: 'in the snow' })
    assert.equal(job.spec.isPrivate, true)
  })

  it('draws an upload beyond four times the default area smaller', async () => {
    const context = await newContext()
    const image = await upload(context.asked.member, await newPicture(2000, 500))
    const { job } = await asked(context, 'edit', { instruction: 'a fox', image })
    assert.deepEqual([job.spec.width, job.spec.height], [1024, 256])
  })

  it('keeps an upload without its position', async () => {
    const context = await newContext()
    const bytes = await sharp(await newPicture())
      .withExif({ IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' } })
      .jpeg()
      .toBuffer()
    assert.ok(bytes.includes('Exif'))
    const image = await upload(context.asked.member, bytes)
    const { job } = await asked(context, 'edit', { instruction: 'a fox', image })
    const kept = Buffer.from((await blobs.get(job.spec.image!))!)
    assert.ok(!kept.includes('Exif') && !kept.includes('eXIf'))
  })

  describe('of whose picture', () => {
    const consenting = async (isEditConsented: boolean) => {
      const owner = await newContext()
      await saveMember(database, owner.member, { isEditConsented })
      return owner
    }
    const attempt = async (image: PictureOption, guild: string): Promise<string> => {
      const other = await newContext({ guild })
      return run(other, 'edit', { instruction: 'a fox', image }).then(
        () => 'allowed',
        async (error: unknown) => (await refusalOf(Promise.reject(error))).code,
      )
    }

    for (const [isConsented, outcome] of [
      [true, 'allowed'],
      [false, 'consent-missing'],
    ] as const) {
      it(`another’s upload ${isConsented ? 'with' : 'without'} consent: ${outcome}`, async () => {
        const { asked: owner } = await consenting(isConsented)
        assert.equal(await attempt(await upload(owner.member), owner.guild), outcome)
      })

      it(`another’s variation of an upload ${isConsented ? 'with' : 'without'} consent: ${outcome}`, async () => {
        const owner = await consenting(isConsented)
        const image = await upload(owner.asked.member)
        const { job } = await asked(owner, 'edit', { instruction: 'a fox', image })
        const other = await newContext({ guild: owner.asked.guild })
        const varied = await run(other, 'again', { job: job.id }).then(
          () => 'allowed',
          async (error: unknown) => (await refusalOf(Promise.reject(error))).code,
        )
        assert.equal(varied, outcome)
      })
    }

    it('an upload of somebody unknown: refused', async () => {
      const { asked: here } = await newContext()
      assert.equal(await attempt(await upload(newName()), here.guild), 'consent-missing')
    })

    it('consent in another guild: refused', async () => {
      const { asked: owner } = await consenting(true)
      assert.equal(await attempt(await upload(owner.member), newName()), 'consent-missing')
    })

    it('what the bot drew for another: allowed', async () => {
      const owner = await consenting(false)
      const { id } = await drawn(owner)
      const image = { kind: 'ours', job: id, picture: 1 } as const
      assert.equal(await attempt(image, owner.asked.guild), 'allowed')
    })

    it('what the bot drew for another alone: unknown', async () => {
      const owner = await consenting(true)
      const { id } = await drawn(owner, { prompt: 'a fox --private' })
      const image = { kind: 'ours', job: id, picture: 1 } as const
      assert.equal(await attempt(image, owner.asked.guild), 'job-unknown')
    })

    it('what the bot drew in another guild: unknown', async () => {
      const { id } = await drawn(await consenting(true))
      const image = { kind: 'ours', job: id, picture: 1 } as const
      assert.equal(await attempt(image, newName()), 'job-unknown')
    })
  })

  describe('refuses', () => {
    const text = (content: string): Uint8Array => Buffer.from(content)
    for (const [what, bytes, code] of [
      ['an empty file', new Uint8Array(), 'image-broken'],
      ['a text', text('hello'), 'image-unsupported'],
      ['a drawing with a script', text('<svg><script/></svg>'), 'image-unsupported'],
      ['the beginning of a picture', cutOff, 'image-broken'],
      ['a file of 21 MB', new Uint8Array(21 * 2 ** 20), 'image-too-large'],
    ] as const) {
      it(`${what}, and stores nothing`, async () => {
        const context = await newContext()
        const image = await upload(context.asked.member, bytes)
        const attempt = run(context, 'edit', { instruction: 'a fox', image })
        assert.equal((await refusalOf(attempt)).code, code)
        assert.equal(await database.job.count({ where: { memberId: context.member.row } }), 0)
      })
    }

    it('a picture that says it has 65,000 pixels a side, before decoding it', async () => {
      const context = await newContext()
      const image = await upload(context.asked.member, hugeHeader())
      const { params } = await refusalOf(run(context, 'edit', { instruction: 'a fox', image }))
      assert.equal(params.unit, 'pixels')
    })

    it('when there is no picture', async () => {
      const attempt = run(await newContext(), 'edit', { instruction: 'a fox' })
      assert.equal((await refusalOf(attempt)).code, 'picture-missing')
    })

    it('a picture that a job does not have', async () => {
      const context = await newContext()
      const { id } = await drawn(context)
      const options = { instruction: 'a fox', job: id, picture: 2 }
      assert.deepEqual(await refusalOf(run(await next(context), 'edit', options)), {
        code: 'picture-unknown',
        params: { job: id, picture: 2 },
      })
    })
  })
})

/** A sound WebP header of 16,384 pixels a side, with nothing behind it. */
function hugeHeader(): Uint8Array {
  const bytes = new Uint8Array(64)
  const view = new DataView(bytes.buffer)
  bytes.set(Buffer.from('RIFF'))
  view.setUint32(4, 56, true)
  bytes.set(Buffer.from('WEBPVP8X'), 8)
  view.setUint32(16, 10, true)
  view.setUint32(24, 0xffffff, true)
  view.setUint32(26, 0xffffff << 8, true)
  return bytes
}
