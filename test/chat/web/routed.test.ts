/** The playground with the real router and commands: from a typed line to a job and its message. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { commands } from '../../../commands/index.ts'
import { Router } from '../../../src/chat/router.ts'
import type { Playground, WebOptions } from '../../../src/chat/web/server.ts'
import { findJob } from '../../../src/store/jobs.ts'
import { newDatabase } from '../../store/database.ts'
import { ask, House, messages, newNonce, pictureMessage, say, show, showing } from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(async () => {
  await house.leave()
  await house.database.webMessage.deleteMany()
})

const card = {
  name: 'nano',
  parameters: 7,
  defaults: { width: 128, height: 128, evaluations: 8, guidance: 0 },
}

async function serve(): Promise<Playground> {
  const services: WebOptions['services'] = { ...house.services, modelCard: async () => card }
  const router = new Router({
    services,
    commands,
    log: (failure) => assert.fail(failure.reference),
  })
  return house.serve({ services, router, commands })
}

async function jobs() {
  return house.database.job.findMany({ orderBy: { createdAt: 'asc' } })
}

describe('a typed line', () => {
  for (const [text, locale, prompt, answer] of [
    ['a red fox', 'en-US', 'a red fox', /[Qq]ueue/],
    ['/画图 一只狐狸', 'zh-CN', '一只狐狸', /排/],
  ] as const) {
    it(`becomes a job whose message appears where it was said: ${text}`, async () => {
      const { url, adapter } = await serve()

      const { replies } = await say(url, text, { locale })
      const row = (await jobs()).at(-1)!
      const job = await findJob(house.database, row.id)
      assert.ok(job)
      await adapter.show(job.replyTo, { text: 'Drawing.', quote: job.spec.prompt }, showing(job.id))

      assert.equal(job.spec.prompt, prompt)
      const [reply] = replies
      assert.ok(reply?.kind === 'message')
      assert.match(reply.view.message.text, answer)
      assert.equal(reply.view.isPrivate, true)
      const seen = (await messages(url)).messages
      assert.deepEqual(
        seen.map(({ job: shown, message }) => [shown, message.quote ?? message.text]),
        [
          [null, text],
          [null, prompt],
          [job.id, prompt],
        ],
      )
      assert.equal(seen[2]?.replyToId, seen[0]?.id)
    })
  }

  it('is one job when it is sent again by a page that lost its line', async () => {
    const nonce = newNonce()
    const before = (await jobs()).length
    const first = await serve()
    await say(first.url, 'a blue fox', { nonce })
    await house.leave()
    const second = await serve()
    await say(second.url, 'a blue fox', { nonce })

    assert.equal((await jobs()).length, before + 1)
  })

  it('that answers a picture edits it', async () => {
    const { url, adapter } = await serve()
    const { id, key } = await house.draw()
    const shown = await show(adapter, id, pictureMessage(key))

    await say(url, 'make it blue', { replyToId: shown.message, picture: 1 })

    const edit = (await jobs()).at(-1)!
    assert.deepEqual([edit.kind, edit.parentId, edit.inputKeys], ['edit', id, [key]])
  })

  it('that nobody understands is answered with a sentence', async () => {
    const { url } = await serve()

    const { replies } = await say(url, '/imagin a fox')

    const [reply] = replies
    assert.ok(reply?.kind === 'message')
    assert.match(reply.view.message.text, /imagine/)
  })

  it('can be completed from the commands there are', async () => {
    const { url } = await serve()
    const namesIn = async (locale: string): Promise<string[]> => {
      const known = (await (await ask(url, '/api/commands', { locale })).json()) as {
        name: string
      }[]
      return known.map(({ name }) => name)
    }

    assert.ok((await namesIn('en-US')).includes('/imagine'))
    assert.ok((await namesIn('zh-CN')).includes('/画图'))
  })
})
