/** `privacy`: what an export holds, what a deletion takes away and what it leaves. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Context } from '../../src/chat/command.ts'
import { exportPart } from '../../src/jobs/privacy.ts'
import { cancel } from '../../src/jobs/cancel.ts'
import { usageOf } from '../../src/jobs/usage.ts'
import { audit } from '../../src/store/guilds.ts'
import { findJob, markDispatched, markStarted } from '../../src/store/jobs.ts'
import type { ShownMessage } from '../../src/store/privacy.ts'
import { inTransaction } from '../../src/store/prisma.ts'
import { keepRefusal, refusalOf as refused } from '../../src/store/refusals.ts'
import { newName, newSpec, refusalOf } from '../jobs/admission.ts'
import { unzip } from '../jobs/unzip.ts'
import {
  asked,
  blobs,
  database,
  drawn,
  newContext,
  newPicture,
  next,
  nowMs,
  run,
} from './context.ts'

const uploaded = async (context: Context) => {
  const bytes = await newPicture()
  const owner = context.asked.member
  const image = { kind: 'upload', bytes, fileName: 'a.png', owner } as const
  return (await asked(await next(context), 'edit', { instruction: 'in the snow', image })).job
}
const erase = (context: Context) => run(context, 'privacy delete', { confirm: 'yes' })
const sums = async ({ guild }: Context): Promise<unknown> => {
  const where = { guildId: guild.row }
  const [ledger, charges] = await Promise.all([
    database.ledgerEntry.aggregate({ where, _sum: { micros: true }, _count: true }),
    database.charge.aggregate({ where, _sum: { micros: true }, _count: true }),
  ])
  return [ledger._sum.micros, ledger._count, charges._sum.micros, charges._count]
}

describe('privacy export', () => {
  it('holds the member’s rows, pictures and uploads, and nobody else’s', async () => {
    const context = await newContext()
    const { id, resultKeys } = await drawn(context, { prompt: 'a red fox --n 2' })
    const upload = await uploaded(context)
    const other = await next(context, { member: newName() })
    await drawn(other, { prompt: 'a secret bear' })
    const { file, text } = await run(context, 'privacy export')
    assert.match(text, /with your pictures 1 to 3 of 3/)
    const files = unzip(file!.bytes)
    assert.deepEqual([...files.keys()].toSorted(), [
      `pictures/${id}-1.png`,
      `pictures/${id}-2.png`,
      'records.json',
      `uploads/${upload.id}.png`,
    ])
    const picture = files.get(`pictures/${id}-2.png`)!
    assert.equal(Buffer.compare(picture, (await blobs.get(resultKeys[1]!))!), 0)
    const records = files.get('records.json')!.toString()
    assert.ok(records.includes('a red fox') && !records.includes('secret'))
  })

  it('goes on in parts where it is large', async () => {
    const context = await newContext()
    await drawn(context, { prompt: 'a red fox --n 4' })
    const part = (from: number) =>
      exportPart({ database, blobs }, context, { from, nowMs, mostBytes: 400 })
    const first = await part(1)
    assert.ok(first.to >= 1 && first.to < 4, String(first.to))
    const second = await part(first.to + 1)
    const names = [...unzip(first.bytes).keys(), ...unzip(second.bytes).keys()]
    assert.equal(new Set(names).size, names.length)
    assert.equal(names.filter((name) => name === 'records.json').length, 1)
  })

  it('of whoever has done nothing is still an answer', async () => {
    const { file, text } = await run(await newContext(), 'privacy export')
    assert.match(text, /no pictures/)
    assert.deepEqual([...unzip(file!.bytes).keys()], ['records.json'])
  })
})

describe('privacy delete', () => {
  it('asks first, with what there is, and changes nothing', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    const { text, buttons } = await run(context, 'privacy delete')
    assert.match(text, /one job with one picture or upload, 0 favourites/)
    assert.equal(buttons?.[0]?.[0]?.action, 'v1:privacy-delete:yes')
    assert.ok(await findJob(database, id))
  })

  it('takes jobs, pictures and uploads away', async () => {
    const context = await newContext()
    const job = await drawn(context, { prompt: 'a red fox --n 2' })
    const upload = await uploaded(context)
    const { text } = await erase(context)
    assert.match(text, /^Deleted: 2 jobs with 2 pictures/)
    const ids = [job.id, upload.id]
    assert.equal(await database.job.count({ where: { id: { in: ids } } }), 0)
    const keys = [...job.resultKeys, upload.spec.image!]
    assert.deepEqual(await Promise.all(keys.map((key) => blobs.has(key))), [false, false, false])
  })

  it('keeps the sums of the guild, without the member', async () => {
    const context = await newContext()
    await drawn(context)
    const { guild, member } = context
    await audit(database, { guild, member, action: 'test', facts: {}, nowMs })
    const before = await sums(context)
    await erase(context)
    assert.deepEqual(await sums(context), before)
    const where = { guildId: guild.row, memberId: { not: null } }
    const left = await Promise.all([
      database.ledgerEntry.count({ where }),
      database.charge.count({ where }),
      database.auditEntry.count({ where }),
    ])
    assert.deepEqual(left, [0, 0, 0])
  })

  it('cancels what has not ended, at a device too, and refunds it', async () => {
    const context = await newContext()
    const { job: waiting } = await asked(context, 'imagine', { prompt: 'a fox' })
    const { job: running } = await asked(await next(context), 'imagine', { prompt: 'a bear' })
    await inTransaction(database, (transaction) => markDispatched(transaction, running.id, nowMs))
    await markStarted(database, running.id, { attempt: 1, device: 'test:0', nowMs })
    await erase(context)
    const where = { guildId: context.guild.row }
    const { _sum } = await database.ledgerEntry.aggregate({ where, _sum: { micros: true } })
    assert.equal(_sum.micros, 0n)
    assert.equal(await database.job.count({ where: { id: { in: [waiting.id, running.id] } } }), 0)
  })

  it('keeps a picture that another’s job starts from', async () => {
    const context = await newContext()
    const { id, resultKeys } = await drawn(context)
    const other = await next(context, { member: newName() })
    const { job } = await asked(other, 'edit', { instruction: 'in the snow', job: id })
    await erase(context)
    assert.equal(await blobs.has(resultKeys[0]!), true)
    assert.equal((await findJob(database, job.id))?.spec.image, resultKeys[0])
  })

  it('takes an upload out of others’ ended jobs', async () => {
    const context = await newContext()
    await run(context, 'settings', { consent: true })
    const { id, spec } = await uploaded(context)
    const other = await next(context, { member: newName() })
    const { job } = await asked(other, 'again', { job: id })
    await cancel(other.services.cancelling, other, job.id)
    await erase(context)
    assert.equal(await blobs.has(spec.image!), false)
    const left = (await findJob(database, job.id))!.spec
    assert.deepEqual([left.image, left.imageOwner], [undefined, undefined])
  })

  it('has the messages that showed the pictures taken away', async () => {
    const removed: ShownMessage[] = []
    const removeShown = (messages: readonly ShownMessage[]): void => void removed.push(...messages)
    const context = await newContext({ services: { removeShown } })
    const { id, replyTo } = await drawn(context)
    await database.job.update({ where: { id }, data: { shown: { message: '7' } } })
    const { text } = await erase(context)
    assert.deepEqual(removed, [{ platform: 'discord', place: replyTo, shown: { message: '7' } }])
    assert.match(text, /The message that showed them is being taken away/)
  })

  it('leaves quota in use, and a block, to nobody but the id', async () => {
    const context = await newContext()
    await drawn(context)
    const { guild, member } = context
    const before = await usageOf(database, { guild, member }, nowMs)
    const data = { guildId: guild.row, memberId: member.row, reason: 'spam' }
    await database.block.create({ data })
    const { text } = await erase(context)
    assert.match(text, /What stays/)
    const { member: newMember } = await next(context)
    assert.notEqual(newMember.row, member.row)
    const usage = await usageOf(database, { guild, member: newMember }, nowMs)
    assert.equal(usage.member?.left.usedMicros, before.member?.left.usedMicros)
    assert.equal(await database.block.count({ where: { memberId: newMember.row } }), 1)
    const row = await database.member.findUniqueOrThrow({ where: { id: newMember.row } })
    assert.deepEqual([row.name, row.locale, row.defaults], [null, null, {}])
  })

  it('leaves no row of a member who has nothing in use', async () => {
    const context = await newContext()
    const { text } = await erase(context)
    assert.doesNotMatch(text, /What stays/)
    assert.equal(await database.member.count({ where: { id: context.member.row } }), 0)
  })

  it('takes away what the member wrote', async () => {
    const context = await newContext()
    const { guild, member } = context
    await keepRefusal(database, {
      member,
      rule: 'bear',
      spec: newSpec({ prompt: 'a bear' }),
      nowMs,
    })
    const mine = { guildId: guild.row, memberId: member.row }
    await database.report.create({ data: { ...mine, kind: 'appeal', facts: { prompt: 'x' } } })
    await database.report.create({ data: { ...mine, kind: 'report', note: 'mine' } })
    const message = { guildId: guild.row, channel: 'a', content: { text: 'x' } }
    await database.webMessage.create({ data: { ...message, author: member.id } })
    await database.webMessage.create({ data: { ...message, author: 'other' } })
    await erase(context)
    const where = { guildId: guild.row }
    const reports = await database.report.findMany({ where })
    assert.deepEqual(
      reports.map(({ kind, note, memberId }) => [kind, note, memberId]),
      [['report', null, null]],
    )
    const messages = await database.webMessage.findMany({ where })
    assert.deepEqual(
      messages.map(({ author }) => author),
      ['other'],
    )
    assert.equal(await refused(database, member, { nowMs }), undefined)
  })

  it('makes the member’s jobs unknown to everyone', async () => {
    const context = await newContext()
    const { id } = await drawn(context)
    await erase(context)
    const other = await next(context, { member: newName() })
    const { code } = await refusalOf(run(other, 'gallery info', { job: id }))
    assert.equal(code, 'job-unknown')
  })
})
