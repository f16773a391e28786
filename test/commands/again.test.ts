/** `again`: what a variation keeps of its parent and what it changes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newName, refusalOf } from '../jobs/admission.ts'
import { asked, drawn, newContext, next, run } from './context.ts'

describe('again', () => {
  it('keeps everything but the seed', async () => {
    const context = await newContext()
    const prompt = 'a fox --style anime --no snow --guidance 3 --steps 5 --size 192x320 --n 2'
    const parent = await drawn(context, { prompt })
    const { job } = await asked(await next(context), 'again', { job: parent.id })
    const { seed, ...spec } = job.spec
    const { seed: parentSeed, ...parentSpec } = parent.spec
    assert.deepEqual(spec, { ...parentSpec, kind: 'again', parent: parent.id })
    assert.notEqual(seed, parentSeed)
  })

  it('means the last job when none is named', async () => {
    const context = await newContext()
    const { job: parent } = await asked(context, 'imagine', { prompt: 'a fox' })
    const { job } = await asked(await next(context), 'again', {})
    assert.equal(job.spec.parent, parent.id)
  })

  it('keeps the seed of the picture when asked to', async () => {
    const context = await newContext()
    const parent = await drawn(context, { prompt: 'a fox --n 3 --seed 4294967295' })
    const { job } = await asked(await next(context), 'again', {
      job: parent.id,
      picture: 3,
      sameSeed: true,
    })
    assert.deepEqual([job.spec.seed, job.spec.count], [1, 1])
  })

  it('puts other words into the same style', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a fox --style anime' })
    const { job } = await asked(await next(context), 'again', { changes: 'a bear' })
    const { prompt, asked: said, style } = job.spec
    assert.match(prompt, /^a bear, anime/)
    assert.deepEqual([said, style], ['a bear', 'anime'])
  })

  it('puts the same words into another style', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a fox --style anime' })
    const { job } = await asked(await next(context), 'again', { changes: '--style 水墨' })
    assert.match(job.spec.prompt, /^a fox, Chinese ink wash/)
  })

  it('takes the style away with --raw', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a fox --style anime' })
    const { job } = await asked(await next(context), 'again', { changes: '--raw' })
    const { prompt, asked: said, style } = job.spec
    assert.deepEqual([prompt, said, style], ['a fox', undefined, undefined])
  })

  it('starts from the picture that its parent started from', async () => {
    const context = await newContext()
    await drawn(context)
    const { job: parent } = await asked(await next(context), 'edit', { instruction: 'in snow' })
    const { job } = await asked(await next(context), 'again', { job: parent.id })
    assert.deepEqual([job.spec.image, job.spec.strength], [parent.spec.image, 0.6])
  })

  it('may be of another’s job, but not of a private one', async () => {
    const context = await newContext()
    const open = await drawn(context)
    const hidden = await drawn(await next(context), { prompt: 'a fox', private: true })
    const other = await next(context, { member: newName() })
    await run(other, 'again', { job: open.id })
    const { code } = await refusalOf(run(other, 'again', { job: hidden.id }))
    assert.equal(code, 'job-unknown')
  })

  it('is refused to whoever has asked for nothing', async () => {
    const { code } = await refusalOf(run(await newContext(), 'again'))
    assert.equal(code, 'nothing-drawn')
  })

  it('is refused for a picture that the job does not have', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    const attempt = run(await next(context), 'again', { job: id, picture: 2 })
    assert.equal((await refusalOf(attempt)).code, 'picture-unknown')
  })
})
