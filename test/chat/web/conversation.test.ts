/** Saying and pressing over real HTTP: what is kept, who sees it, what the router is handed. */
import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { privately } from '../../../src/chat/message.ts'
import { newDatabase } from '../../store/database.ts'
import {
  type Answered,
  ask,
  here,
  House,
  messages,
  newNonce,
  pictureMessage,
  post,
  say,
  show,
  texts,
} from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(async () => {
  await house.leave()
  await house.database.webMessage.deleteMany()
})
beforeEach(() => {
  house.heard.splice(0)
  house.answer = (said) => [
    privately({ text: said.kind === 'text' ? `you said ${said.text}` : 'done' }),
  ]
})

describe('what is said', () => {
  it('is kept, handed to the router as the member who said it, and answered', async () => {
    const { url } = await house.serve()

    const { message, replies } = await say(url, 'a fox', { nonce: 'n1', locale: 'zh-CN' })

    assert.deepEqual(await texts(url), ['a fox', 'you said a fox'])
    assert.deepEqual(message?.from, { kind: 'member', id: 'mei', name: '小梅' })
    assert.equal(message.nonce, 'n1')
    const { idOf, ...said } = house.heard[0]!
    assert.equal(idOf?.('member', '小梅'), 'mei')
    assert.deepEqual(said, {
      platform: 'web',
      guild: 'fox-den',
      channel: 'pictures',
      member: 'mei',
      roleIds: ['member'],
      isModerator: false,
      isOperator: false,
      invocationId: 'mei/n1',
      replyTo: { guild: 'fox-den', channel: 'pictures', member: 'mei', message: message.id },
      locale: 'zh-CN',
      guildName: '狐狸窝',
      memberName: '小梅',
      kind: 'text',
      text: 'a fox',
      attachments: [],
    })
    const [reply] = replies
    assert.ok(reply?.kind === 'message')
    assert.equal(reply.view.replyToId, message.id)
    assert.equal(reply.view.from.kind, 'bot')
  })

  for (const [member, facts] of [
    ['ruth', { isModerator: true, isOperator: false }],
    ['vera', { isModerator: false, isOperator: true }],
  ] as const) {
    it(`comes from ${member} with ${member}'s rank`, async () => {
      const { url } = await house.serve()

      await say(url, 'a fox', { member })

      const { isModerator, isOperator } = house.heard[0]!
      assert.deepEqual({ isModerator, isOperator }, facts)
    })
  }

  it('is seen by everyone, its private answer only by who asked', async () => {
    const { url } = await house.serve()

    await say(url, 'a fox')

    assert.deepEqual(await texts(url, { member: 'jonas' }), ['a fox'])
    assert.deepEqual(await texts(url, { channel: 'lounge' }), [])
    assert.deepEqual(
      await texts(url, { guild: 'workshop', channel: 'sketches', member: 'lin' }),
      [],
    )
  })

  for (const text of ['/imagine a fox --private', ' ／画图 狐狸']) {
    it(`is between the member and the bot when it is a command: ${text}`, async () => {
      const { url } = await house.serve()

      await say(url, text)

      assert.deepEqual(await texts(url, { member: 'ruth' }), [])
      assert.equal((await texts(url))[0], text)
    })
  }

  for (const text of ['a fox --private', '一只狐狸 －－ｐｒｉｖａｔｅ', 'a fox —Private']) {
    it(`is between the member and the bot when the picture is to be: ${text}`, async () => {
      const { url } = await house.serve()

      await say(url, text)

      assert.deepEqual(await texts(url, { member: 'ruth' }), [])
      assert.equal((await texts(url))[0], text)
    })
  }

  it('is found again by another process after a restart', async () => {
    const first = await house.serve()
    await say(first.url, 'a fox')
    const before = await messages(first.url)
    await house.leave()

    const second = await house.serve()

    assert.deepEqual(await messages(second.url), before)
    assert.equal(before.messages.length, 2)
  })

  it('is the same message when it is sent again, then and after a restart', async () => {
    const first = await house.serve()
    const nonce = newNonce()
    const once = await say(first.url, 'a fox', { nonce })
    const again = await say(first.url, 'a fox', { nonce })
    await house.leave()
    const second = await house.serve()
    const late = await say(second.url, 'a fox', { nonce })

    assert.deepEqual([again, late], [once, once])
    assert.equal(house.heard.length, 1)
    assert.equal((await messages(second.url)).messages.length, 2)
  })

  it('is the same message when it is sent twice at once', async () => {
    const { url } = await house.serve()
    const nonce = newNonce()

    const answers = await Promise.all(['a', 'a', 'a'].map((text) => say(url, text, { nonce })))

    assert.deepEqual(answers[1], answers[0])
    assert.equal(house.heard.length, 1)
    assert.equal((await messages(url)).messages.length, 2)
  })

  it('is another message when somebody else has the same nonce', async () => {
    const { url } = await house.serve()

    await say(url, 'a fox', { nonce: 'same' })
    await say(url, 'a dog', { nonce: 'same', member: 'jonas' })

    assert.equal(house.heard.length, 2)
    assert.deepEqual(
      house.heard.map(({ invocationId }) => invocationId),
      ['mei/same', 'jonas/same'],
    )
  })

  it('carries what is attached as the bytes of whose it is', async () => {
    const { url } = await house.serve()
    const base64 = Buffer.from('four bytes of fox').toString('base64')

    const { message } = await say(url, 'make it blue', {
      attachments: [{ fileName: 'fox.png', base64 }],
    })

    const [said] = house.heard
    assert.ok(said?.kind === 'text')
    const [attachment, ...others] = said.attachments
    assert.ok(attachment?.kind === 'upload')
    assert.equal(Buffer.from(attachment.bytes).toString(), 'four bytes of fox')
    assert.deepEqual([attachment.fileName, attachment.owner], ['fox.png', 'mei'])
    assert.deepEqual(others, [])
    assert.deepEqual(message?.message.items, [{ title: 'fox.png' }])
  })
})

describe('a reply to a picture', () => {
  it('names the job and the number of the picture', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw()
    const shown = await show(adapter, id, pictureMessage(key))

    await say(url, 'make it blue', { replyToId: shown.message })

    assert.deepEqual(house.heard[0]?.picture, { kind: 'ours', job: id, picture: 1 })
  })

  it('names the job of a picture in a list as well', async () => {
    const { url } = await house.serve()
    const { id, key } = await house.draw()
    const { pictures } = pictureMessage(key)
    house.answer = () => [
      privately({ text: 'gallery', items: [{ title: 'a fox', picture: pictures![0]! }] }),
    ]
    const [reply] = (await say(url, '/gallery mine')).replies
    assert.ok(reply?.kind === 'message')

    await say(url, 'make it blue', { replyToId: reply.view.id, picture: 1 })

    assert.deepEqual(house.heard[1]?.picture, { kind: 'ours', job: id, picture: 1 })
  })

  it('names none once the picture is deleted', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw()
    const shown = await show(adapter, id, pictureMessage(key))
    await house.database.job.update({ where: { id }, data: { resultKeys: [''] } })

    await say(url, 'make it blue', { replyToId: shown.message })

    assert.equal(house.heard[0]?.picture, undefined)
  })

  it('is refused when the message is private to somebody else, elsewhere, or gone', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw(true)
    const shown = await show(adapter, id, pictureMessage(key), { visibleTo: 'mei' })
    const { id: otherId, key: otherKey } = await house.draw()
    const gone = await show(adapter, otherId, pictureMessage(otherKey))
    await adapter.remove({ ...here }, gone)

    for (const [what, more] of [
      ['private', { member: 'jonas', replyToId: shown.message }],
      ['elsewhere', { channel: 'lounge', replyToId: shown.message }],
      ['gone', { replyToId: gone.message }],
      ['never there', { replyToId: '999999999' }],
    ] as const) {
      const body = { ...here, nonce: newNonce(), text: 'make it blue', ...more }
      const response = await post(url, '/api/say', body)
      assert.equal(response.status, 404, what)
      assert.deepEqual(await response.json(), { error: catalogues['en-US']['web.gone'] }, what)
    }
    assert.equal(house.heard.length, 0)
  })
})

describe('a button', () => {
  it('hands its action and the fields of its form to the router', async () => {
    const { url } = await house.serve()
    const base64 = Buffer.from('four bytes of fox').toString('base64')

    const response = await post(url, '/api/press', {
      ...here,
      nonce: 'b1',
      action: 'v1:edit:7k2mz0q9xa',
      fields: { instruction: 'make it blue', count: 2 },
      attachments: [{ field: 'picture', fileName: 'fox.png', base64 }],
    })

    const [said] = house.heard
    assert.equal(response.status, 200)
    assert.ok(said?.kind === 'action')
    assert.equal(said.action, 'v1:edit:7k2mz0q9xa')
    const { picture, ...others } = said.options!
    assert.deepEqual(others, { instruction: 'make it blue', count: 2 })
    assert.equal((picture as { fileName: string }).fileName, 'fox.png')
    assert.deepEqual(await texts(url), ['done'])
  })

  it('is answered with a form, which is not kept', async () => {
    const { url } = await house.serve()
    const form = { title: 'Edit', action: 'v1:edit:7k2mz0q9xa', fields: [], submitLabel: 'Edit' }
    house.answer = () => [{ kind: 'form', form }]
    const pressed = { ...here, nonce: newNonce(), action: 'v1:edit:7k2mz0q9xa' }

    const once = (await (await post(url, '/api/press', pressed)).json()) as Answered
    const again = (await (await post(url, '/api/press', pressed)).json()) as Answered

    assert.deepEqual(once, { message: null, replies: [{ kind: 'form', form }] })
    assert.deepEqual(again, once)
    assert.deepEqual(await texts(url), [])
  })
})

describe('an answer with a file', () => {
  it('leads to it under an address that nobody can guess, as a download', async () => {
    const { url } = await house.serve()
    const file = {
      fileName: "mei's export 导出.json",
      contentType: 'application/json',
      bytes: Buffer.from('{"jobs":[]}'),
    }
    house.answer = () => [privately({ text: 'Here is your data.', file })]
    const [reply] = (await say(url, '/privacy export')).replies
    assert.ok(reply?.kind === 'message')
    const shown = reply.view.message.file!

    const response = await fetch(url + shown.url)

    assert.match(shown.url, /^\/files\/[0-9a-f]{32}$/)
    assert.equal(await response.text(), '{"jobs":[]}')
    assert.match(
      response.headers.get('content-disposition') ?? '',
      /^attachment; filename\*=UTF-8''/,
    )
    assert.equal((await fetch(`${url}/files/${'0'.repeat(32)}`)).status, 404)
  })
})

describe('a page of a channel', () => {
  it('has the newest 50, oldest first, and leads to those before', async () => {
    const { url } = await house.serve()
    house.answer = () => []
    for (let k = 1; k <= 53; k += 1) await say(url, `message ${k}`)

    const newest = await messages(url)
    const older = await messages(url, { before: newest.messages[0]!.id })

    assert.deepEqual([newest.messages.length, newest.hasMore], [50, true])
    assert.equal(newest.messages[0]?.message.text, 'message 4')
    assert.equal(newest.messages.at(-1)?.message.text, 'message 53')
    assert.deepEqual(
      older.messages.map(({ message }) => message.text),
      ['message 1', 'message 2', 'message 3'],
    )
    assert.equal(older.hasMore, false)
  })

  it('is refused to who is not of the guild, in their language', async () => {
    const { url } = await house.serve()

    const response = await ask(url, '/api/messages', { ...here, member: 'lin', locale: 'zh-CN' })

    assert.equal(response.status, 404)
    assert.deepEqual(await response.json(), { error: catalogues['zh-CN']['web.place-unknown'] })
  })
})
