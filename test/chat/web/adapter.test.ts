/** The playground as a platform, for the notifier: one message a job, whatever happens between. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { DeliveryError } from '../../../src/chat/adapter.ts'
import { newDatabase } from '../../store/database.ts'
import { here, House, messages, pictureMessage, say, show, showing, texts } from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(async () => {
  await house.leave()
  await house.database.webMessage.deleteMany()
})

const drawing = { text: 'Drawing.', progress: { done: 3, of: 8, text: 'Step 3 of 8' } }

describe("a job's message", () => {
  it('is one message, edited in place, also by a process that knows nothing of the first', async () => {
    const first = await house.serve()
    const { id, key } = await house.draw()
    const shown = await show(first.adapter, id, drawing)
    await house.leave()

    const second = await house.serve()
    const again = await show(second.adapter, id, pictureMessage(key))

    const { messages: seen } = await messages(second.url)
    assert.deepEqual(again, shown)
    assert.equal(seen.length, 1)
    assert.equal(seen[0]?.message.text, 'Here it is.')
    assert.equal(seen[0]?.message.progress, undefined)
    assert.ok(seen[0].editedAtMs! >= seen[0].createdAtMs)
  })

  it('is one message when it is shown twice at once', async () => {
    const one = await house.serve()
    const other = await house.serve()
    const { id } = await house.draw()

    const shown = await Promise.all([
      show(one.adapter, id, drawing),
      show(other.adapter, id, drawing),
    ])

    assert.deepEqual(shown[0], shown[1])
    assert.equal((await messages(one.url)).messages.length, 1)
  })

  it('says which job, answers what was said, and has addresses for its pictures', async () => {
    const { url, adapter } = await house.serve()
    house.answer = () => []
    const { message } = await say(url, 'a fox')
    const { id, key } = await house.draw()

    await show(adapter, id, pictureMessage(key), { message: message!.id })

    const view = (await messages(url)).messages.at(-1)!
    assert.deepEqual([view.job, view.replyToId, view.from], [id, message?.id, { kind: 'bot' }])
    assert.deepEqual(view.message.pictures, [
      {
        width: 16,
        height: 16,
        altText: 'a fox',
        fileName: 'fox.png',
        url: `/pictures/${key}`,
        number: 1,
      },
    ])
  })

  it('is seen by the asker alone when the job is private', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw(true)

    await show(adapter, id, pictureMessage(key), { visibleTo: 'mei' })

    assert.deepEqual(await texts(url), ['Here it is.'])
    assert.deepEqual(await texts(url, { member: 'ruth' }), [])
  })

  it('leads to its preview, a new address with each step', async () => {
    const { url, adapter } = await house.serve()
    const { id } = await house.draw()

    await show(adapter, id, { ...drawing, previewId: id })

    const view = (await messages(url)).messages[0]!
    assert.equal(view.message.previewUrl, `/previews/${id}?step=3`)
    assert.equal('previewId' in view.message, false)
  })

  it('leaves only that it was there when it is removed, and may be shown anew', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw()
    const shown = await show(adapter, id, pictureMessage(key))

    await adapter.remove({ ...here }, shown)
    await adapter.remove({ ...here }, shown)
    const { messages: seen } = await messages(url)
    await show(adapter, id, drawing)

    assert.deepEqual([seen[0]?.isDeleted, seen[0]?.message], [true, { text: '' }])
    const row = await house.database.webMessage.findFirst({ orderBy: { id: 'asc' } })
    assert.deepEqual(row?.content, {})
    assert.deepEqual(await texts(url), ['', 'Drawing.'])
  })

  it('answers nothing when what it answered is gone', async () => {
    const { url, adapter } = await house.serve()
    const { id } = await house.draw()

    await show(adapter, id, drawing, { message: '999999' })

    assert.equal((await messages(url)).messages[0]?.replyToId, null)
  })

  it('cannot be taken by a member who says its name', async () => {
    const { url, adapter } = await house.serve()
    house.answer = () => []
    const { id, key } = await house.draw()

    await say(url, 'mine', { nonce: id })
    await show(adapter, id, pictureMessage(key))

    assert.deepEqual(await texts(url), ['mine', 'Here it is.'])
    assert.equal((await messages(url)).messages[0]?.job, null)
  })

  it('is not shown once that has taken too long', async () => {
    const { url, adapter } = await house.serve()
    const late = { ...showing('7k2mz0q9xa'), signal: AbortSignal.abort() }

    await assert.rejects(
      adapter.show({ ...here }, drawing, late),
      (error) => error instanceof DeliveryError && error.kind === 'later',
    )
    assert.deepEqual(await texts(url), [])
  })

  for (const [what, place] of [
    ['a guild that is not there', { ...here, guild: 'elsewhere' }],
    ['another platform', { channel: '42', message: 'm1' }],
  ] as const) {
    it(`cannot be delivered to ${what}`, async () => {
      const { adapter } = await house.serve()

      await assert.rejects(
        adapter.show(place, drawing, showing('7k2mz0q9xa')),
        (error) => error instanceof DeliveryError && error.kind === 'gone',
      )
    })
  }
})
