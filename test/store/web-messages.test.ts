/** The playground's messages on a real Postgres: once a nonce, and seen by nobody they are not for. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { ensureGuild, type StoredGuild } from '../../src/store/guilds.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import {
  deleteWebMessage,
  findByNonces,
  findWebMessages,
  insertWebMessage,
  type NewWebMessage,
  pageOfChannel,
  upsertWebMessage,
  type WebMessage,
} from '../../src/store/web-messages.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())
let guild: StoredGuild
let other: StoredGuild

before(async () => {
  guild = await ensureGuild(database, { platform: 'web', platformId: 'one' })
  other = await ensureGuild(database, { platform: 'web', platformId: 'other' })
})
after(() => closeDatabase(database))

const nowMs = Date.UTC(2026, 0, 1)
const message = (facts: Partial<NewWebMessage> = {}): NewWebMessage => ({
  guild,
  channel: 'pictures',
  content: { text: 'a fox' },
  nowMs,
  ...facts,
})
const insert = (facts: Partial<NewWebMessage> = {}) =>
  inTransaction(database, (transaction) => insertWebMessage(transaction, message(facts)))
const upsert = (facts: Partial<NewWebMessage> & { nonce: string }): Promise<WebMessage> =>
  inTransaction(database, (transaction) =>
    upsertWebMessage(transaction, { ...message(facts), nonce: facts.nonce }),
  )
const remove = (of: StoredGuild, id: string): Promise<boolean> =>
  inTransaction(database, (transaction) => deleteWebMessage(transaction, of, id, nowMs))

describe('a message', () => {
  it('is read as it was stored', async () => {
    const first = await insert({ author: 'mei' })
    const { message: stored } = await insert({
      author: 'mei',
      visibleTo: 'mei',
      nonce: 'read',
      replyToId: first.message.id,
    })

    const [read] = await findWebMessages(database, [stored.id])

    assert.deepEqual(read, {
      id: stored.id,
      guildRow: guild.row,
      channel: 'pictures',
      author: 'mei',
      visibleTo: 'mei',
      nonce: 'read',
      replyToId: first.message.id,
      content: { text: 'a fox' },
      createdAtMs: nowMs,
      editedAtMs: undefined,
      isDeleted: false,
    })
  })

  it('exists once for its nonce, however many say it at once, and once in each guild', async () => {
    const said = await Promise.all(
      ['a', 'b', 'c'].map((text) => {
        const content = { text }
        return insert({ nonce: 'once', content })
      }),
    )
    const elsewhere = await insert({ nonce: 'once', guild: other })

    assert.equal(new Set(said.map(({ message: { id } }) => id)).size, 1)
    assert.equal(said.filter(({ isNew }) => isNew).length, 1)
    assert.equal(elsewhere.isNew, true)
  })

  it('is edited by its nonce', async () => {
    const first = await upsert({ nonce: 'edited' })
    const second = await upsert({ nonce: 'edited', content: { text: 'b' }, nowMs: nowMs + 5 })

    assert.equal(first.editedAtMs, undefined)
    assert.deepEqual(second, { ...first, content: { text: 'b' }, editedAtMs: nowMs + 5 })
  })

  it('is deleted once, in its own guild only, with all that it said, and frees its nonce', async () => {
    const { id } = await upsert({ nonce: 'deleted' })

    const outcomes = [await remove(other, id), await remove(guild, id), await remove(guild, id)]
    const [left] = await findWebMessages(database, [id])
    const again = await upsert({ nonce: 'deleted' })

    assert.deepEqual(outcomes, [false, true, false])
    assert.deepEqual([left?.content, left?.isDeleted, left?.nonce], [{}, true, undefined])
    assert.notEqual(again.id, id)
  })

  it('answers nothing that is in another guild', async () => {
    const { message: elsewhere } = await insert({ guild: other })

    const { message: stored } = await insert({ replyToId: elsewhere.id })

    assert.equal(stored.replyToId, undefined)
  })

  it('is found by its nonce', async () => {
    const { message: stored } = await insert({ nonce: 'n/0' })
    await insert({ nonce: 'n/0', guild: other })

    const found = await findByNonces(database, guild, ['n/0', 'n/1', '%'])

    assert.deepEqual(
      found.map(({ id }) => id),
      [stored.id],
    )
  })
})

describe('a page of a channel', () => {
  it('holds what a member may see, the newest, oldest first', async () => {
    const channel = 'paged'
    const ids: string[] = []
    for (const visibleTo of [undefined, 'mei', 'jonas', undefined, undefined]) {
      const facts = { channel, ...(visibleTo !== undefined && { visibleTo }) }
      ids.push((await insert(facts)).message.id)
    }
    await insert({ channel, guild: other })
    const page = async (limit: number, first?: string) => {
      const { messages, hasMore } = await pageOfChannel(database, {
        guild,
        channel,
        member: 'mei',
        limit,
        ...(first !== undefined && { before: first }),
      })
      return [messages.map(({ id }) => ids.indexOf(id)), hasMore]
    }

    assert.deepEqual(await page(10), [[0, 1, 3, 4], false])
    assert.deepEqual(await page(2), [[3, 4], true])
    assert.deepEqual(await page(2, ids[3]), [[0, 1], false])
  })
})
