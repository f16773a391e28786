/** `gallery`: pages, what may be seen, kept and deleted by whom, and what is left of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JobEvents } from '../../src/queue/events.ts'
import { findJob } from '../../src/store/jobs.ts'
import { newName, refusalOf } from '../jobs/admission.ts'
import { asked, blobs, database, drawn, newContext, next, run, url } from './context.ts'

describe('gallery mine', () => {
  it('shows five pictures on a page, newest first, with buttons to turn it', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a red fox --n 4' })
    await drawn(await next(context), { prompt: 'a blue bear --n 2' })
    const first = await run(context, 'gallery mine')
    assert.equal(first.text, '6 pictures, page 1 of 2.')
    assert.equal(first.items?.length, 5)
    assert.deepEqual(
      first.buttons?.flat().map(({ action }) => action),
      ['v1:gallery-page:2'],
    )
    const second = await run(context, 'gallery mine', { page: 2 })
    assert.equal(second.items?.length, 1)
    const last = await run(context, 'gallery mine', { page: 99 })
    assert.equal(last.text, second.text)
  })

  it('says in words what a picture shows, in one thousand characters at most', async () => {
    const context = await newContext()
    await drawn(context, { prompt: `a red fox ${'very '.repeat(300)}red` })
    const { items } = await run(context, 'gallery mine')
    const altText = items?.[0]?.picture?.altText ?? ''
    assert.match(altText, /^AI-generated picture: a red fox/)
    assert.ok(altText.length <= 1_000)
  })

  it('of whoever has none says how to get one', async () => {
    const { text, items } = await run(await newContext(), 'gallery mine')
    assert.match(text, /no pictures here yet/)
    assert.equal(items, undefined)
  })
})

describe('gallery keep', () => {
  it('puts another’s picture among one’s own favourites, once', async () => {
    const context = await newContext()
    const { id } = await drawn(context, { prompt: 'a red fox --n 2' })
    const other = await next(context, { member: newName() })
    await run(other, 'gallery keep', { job: id, picture: 2 })
    await run(other, 'gallery keep', { job: id, picture: 2 })
    const { items } = await run(other, 'gallery kept')
    assert.deepEqual(
      items?.map(({ picture }) => picture?.fileName),
      [`zimagine-${id}-2.png`],
    )
    await run(other, 'gallery drop', { job: id })
    assert.match((await run(other, 'gallery kept')).text, /keep no pictures yet/)
  })

  it('does not know private pictures of others', async () => {
    const context = await newContext()
    const { id } = await drawn(context, { prompt: 'a red fox --private' })
    const other = await next(context, { member: newName(), rank: 'moderator' })
    for (const path of ['gallery keep', 'gallery info']) {
      assert.equal((await refusalOf(run(other, path, { job: id }))).code, 'job-unknown')
    }
  })
})

describe('gallery info', () => {
  it('tells prompt, seed, size, steps, waits and cost', async () => {
    const context = await newContext()
    const prompt = 'a red fox --style sketch --seed 7 --guidance 2 --no snow'
    const { id } = await drawn(context, { prompt })
    const { text, quote, facts, copy } = await run(context, 'gallery info', { job: id })
    assert.deepEqual(text.split('\n'), [
      `Job ${id}: drawn.`,
      'It waited 0.0 s.',
      'It took 4.0 s to draw.',
      'It cost 0.0 s of device time, in the fast lane.',
      'Style: sketch.',
      'Guidance: 2.',
    ])
    assert.match(quote ?? '', /^a red fox, pencil sketch/)
    assert.equal(facts, 'Seed 7 · 256x256 · 1 picture · 8 steps · nano')
    assert.deepEqual(
      copy?.map((line) => line.text),
      ['7', 'a red fox', 'snow'],
    )
  })

  it('tells what it was made of', async () => {
    const context = await newContext()
    const first = await drawn(context)
    const { job: second } = await asked(await next(context), 'again', {})
    const { job: third } = await asked(await next(context), 'again', { job: second.id })
    const { text } = await run(context, 'gallery info', { job: third.id })
    assert.ok(text.includes(`It was made of ${second.id} ← ${first.id}.`), text)
  })
})

describe('gallery delete', () => {
  it('takes one picture out, with its blob, and leaves the others their numbers', async () => {
    const context = await newContext()
    const { id, resultKeys } = await drawn(context, { prompt: 'a red fox --n 2' })
    await run(context, 'gallery keep', { job: id, picture: 1 })
    await run(context, 'gallery delete', { job: id, picture: 1 })
    assert.deepEqual((await findJob(database, id))?.resultKeys, ['', resultKeys[1]])
    const found = await Promise.all(resultKeys.map((key) => blobs.has(key)))
    assert.deepEqual(found, [false, true])
    assert.match((await run(context, 'gallery kept')).text, /keep no pictures yet/)
  })

  it('is told to everyone, so that the message that shows it is changed', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    const events = await JobEvents.open(url, (error) => assert.fail(String(error)))
    const told = new Promise<void>((resolve) => {
      events.subscribe((event) => {
        if (event.type === 'done' && event.jobId === id) resolve()
      })
    })
    await run(context, 'gallery delete', { job: id })
    await told
    await events.close()
  })

  it('keeps a blob that another job starts from', async () => {
    const context = await newContext()
    const { id, resultKeys } = await drawn(context)
    await run(await next(context), 'edit', { instruction: 'in the snow', job: id })
    await run(context, 'gallery delete', { job: id })
    assert.equal(await blobs.has(resultKeys[0]!), true)
  })

  it('of another’s pictures is for moderators, and audited', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    const other = await next(context, { member: newName() })
    const { code, params } = await refusalOf(run(other, 'gallery delete', { job: id }))
    assert.deepEqual([code, params.verb], ['not-allowed', 'delete any'])
    await run(await next(other, { rank: 'moderator' }), 'gallery delete', { job: id })
    const entries = await database.auditEntry.findMany({ where: { guildId: context.guild.row } })
    assert.deepEqual(
      entries.map(({ action, facts }) => [action, facts]),
      [['pictures deleted', { jobId: id, pictures: 1 }]],
    )
  })

  it('is refused for what is not there, or not yet', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    await run(context, 'gallery delete', { job: id })
    const codes = []
    codes.push((await refusalOf(run(context, 'gallery delete', { job: id }))).code)
    const { job } = await asked(await next(context), 'imagine', { prompt: 'a fox' })
    codes.push((await refusalOf(run(context, 'gallery delete', { job: job.id }))).code)
    const stranger = await newContext({ rank: 'moderator' })
    codes.push((await refusalOf(run(stranger, 'gallery delete', { job: id }))).code)
    assert.deepEqual(codes, ['picture-unknown', 'job-not-ended', 'job-unknown'])
  })
})
