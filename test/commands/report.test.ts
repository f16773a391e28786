/** `report`, `appeal` and their answers: from a member's word to what everybody is told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Context } from '../../src/chat/command.ts'
import type { Item } from '../../src/chat/message.ts'
import { noticeReplies } from '../../src/chat/notices.ts'
import { Router } from '../../src/chat/router.ts'
import { commands } from '../../commands/index.ts'
import { findJob } from '../../src/store/jobs.ts'
import { refusalOf as keptRefusalOf } from '../../src/store/refusals.ts'
import { newJobId, newName, refusalOf } from '../jobs/admission.ts'
import { blobs, database, drawn, newContext, next, nowMs, run } from './context.ts'
import { auditOf, newGuild } from './moderators.ts'

/** A guild with a picture of Ann's, and somebody else in it who sees it. */
async function newPicture(options: Readonly<Record<string, boolean>> = {}) {
  const { moderator, member: owner } = await newGuild()
  const viewer = await next(owner, { member: newName() })
  const job = await drawn(owner, { prompt: 'a red fox', ...options })
  return { moderator, owner, viewer, job }
}

const openIn = async ({ guild }: Context): Promise<number[]> => {
  const where = { guildId: guild.row, state: 'open' } as const
  const rows = await database.report.findMany({ where, orderBy: { id: 'asc' } })
  return rows.map(({ id }) => id)
}
const noticesFor = async (context: Context): Promise<readonly Item[]> => {
  const [reply] = await noticeReplies(context.services, context, context.say)
  return (reply?.kind === 'message' && reply.message.items) || []
}
const told = async (context: Context): Promise<string[]> =>
  (await noticesFor(context)).map(({ title }) => title)

describe('report', () => {
  it('is shown to moderators, covered, with its reason and two buttons', async () => {
    const { moderator, viewer, job } = await newPicture()
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id] = await openIn(moderator)
    const { text, items } = await run(moderator, 'studio reports list')
    const [item] = items ?? []
    assert.equal(text, 'One is open:')
    assert.match(item?.text ?? '', /covered here\.\nReason: rude$/)
    assert.deepEqual(
      [item?.picture?.key, item?.picture?.isCovered, item?.picture?.fileName.slice(0, 8)],
      [job.resultKeys[0], true, 'SPOILER_'],
    )
    assert.deepEqual(
      item?.buttons?.map(({ action }) => action),
      [`v1:uphold:${id}`, `v1:dismiss:${id}`],
    )
  })

  it('of one picture is taken once from each member', async () => {
    const { owner, viewer, job } = await newPicture()
    const report = async (context: Context) =>
      run(context, 'report', { job: job.id, reason: 'rude' })
    await report(viewer)
    assert.equal((await refusalOf(report(viewer))).code, 'report-repeated')
    await report(owner)
    assert.equal((await openIn(owner)).length, 2)
  })

  it('said twice at once is one', async () => {
    const { viewer, job } = await newPicture()
    const options = { job: job.id, reason: 'rude' }
    await Promise.allSettled([run(viewer, 'report', options), run(viewer, 'report', options)])
    assert.equal((await openIn(viewer)).length, 1)
  })

  it('is refused after five in ten minutes, with when to come back', async () => {
    const { viewer, job } = await newPicture()
    for (let count = 0; count < 5; count += 1) {
      await database.report.create({
        data: {
          guildId: viewer.guild.row,
          memberId: viewer.member.row,
          kind: 'report',
          createdAt: new Date(nowMs - 60_000),
        },
      })
    }
    const { code, params } = await refusalOf(run(viewer, 'report', { job: job.id, reason: 'rude' }))
    assert.deepEqual([code, params.waitMs], ['reports-rate-limited', 540_000])
  })

  it('does not know what one may not see', async () => {
    const [{ viewer, job }, hidden, other] = [
      await newPicture(),
      await newPicture({ private: true }),
      await newContext(),
    ]
    for (const [context, options] of [
      [other, { job: job.id }],
      [hidden.viewer, { job: hidden.job.id }],
      [viewer, { job: job.id, picture: 2 }],
      [viewer, { job: newJobId() }],
    ] as const) {
      const { code } = await refusalOf(run(context, 'report', { ...options, reason: 'rude' }))
      assert.equal(code, 'job-unknown')
    }
  })
})

describe('studio reports uphold', () => {
  it('takes the picture away everywhere, and is audited', async () => {
    const { moderator, viewer, job } = await newPicture()
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    assert.deepEqual((await findJob(database, job.id))?.resultKeys, [''])
    assert.equal(await blobs.has(job.resultKeys[0]!), false)
    assert.deepEqual((await auditOf(moderator)).at(-1), [
      'report upheld',
      { report: id, jobId: job.id, picture: 1 },
    ])
  })

  it('leaves a blob that another job names', async () => {
    const { moderator, viewer, job } = await newPicture()
    const [key = ''] = job.resultKeys
    const other = await drawn(await next(viewer))
    await database.job.update({ where: { id: other.id }, data: { resultKeys: [key] } })
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    assert.equal(await blobs.has(key), true)
  })

  it('tells everybody who reported it, and its owner, once', async () => {
    const { moderator, owner, viewer, job } = await newPicture()
    const second = await next(viewer, { member: newName() })
    for (const context of [viewer, second]) {
      await run(context, 'report', { job: job.id, reason: 'rude' })
    }
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id, answer: 'Indeed.' })
    assert.deepEqual(await openIn(moderator), [])
    for (const context of [viewer, second]) {
      assert.match((await told(context)).join(), /^The picture that you reported.* is removed/)
      assert.deepEqual(await told(context), [])
    }
    assert.match(
      (await told(owner)).join(),
      /^A moderator has removed picture 1 of your job [^,]*$/,
    )
    assert.deepEqual(await told(owner), [])
  })

  it('is refused for what is answered, unknown or another guild’s', async () => {
    const { moderator, viewer, job } = await newPicture()
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id = 0] = await openIn(moderator)
    const uphold = async (context: Context, report: number) =>
      (await refusalOf(run(context, 'studio reports uphold', { report }))).code
    assert.equal(await uphold(await newContext({ rank: 'moderator' }), id), 'report-unknown')
    assert.equal(await uphold(moderator, 2 ** 31 - 1), 'report-unknown')
    await run(moderator, 'studio reports dismiss', { report: id })
    assert.equal(await uphold(moderator, id), 'report-answered')
    assert.notDeepEqual((await findJob(database, job.id))?.resultKeys, [''])
  })
})

describe('studio reports dismiss', () => {
  it('leaves the picture and tells the reporter alone', async () => {
    const { moderator, owner, viewer, job } = await newPicture()
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports dismiss', { report: id })
    assert.deepEqual((await findJob(database, job.id))?.resultKeys, job.resultKeys)
    assert.match((await told(viewer)).join(), /and it stays/)
    assert.deepEqual(await told(owner), [])
  })
})

describe('appeal', () => {
  const prompt = 'a fox terrier --ar 16:9 --seed 7'
  const refused = async () => {
    const people = await newGuild()
    await run(people.moderator, 'studio words add', { word: 'fox' })
    await refusalOf(run(people.member, 'imagine', { prompt }))
    return people
  }

  it('shows moderators the words and the rule, and nobody before', async () => {
    const { moderator, member } = await refused()
    assert.equal((await run(moderator, 'studio reports list')).items?.length, 0)
    await run(member, 'appeal', { reason: 'a dog' })
    const { items } = await run(moderator, 'studio reports list')
    assert.equal(items?.[0]?.text, 'Refused by the rule “fox”: “a fox terrier”\nReason: a dog')
  })

  it('is made by the button of its refusal, once', async () => {
    const { member } = await refused()
    const refusal = await keptRefusalOf(database, member.member, { nowMs })
    const appeal = async () => run(member, 'appeal', { report: refusal?.id })
    await appeal()
    assert.equal((await refusalOf(appeal())).code, 'refusal-unknown')
  })

  it('of somebody else’s refusal is not possible', async () => {
    const { member } = await refused()
    const refusal = await keptRefusalOf(database, member.member, { nowMs })
    const other = await next(member, { member: newName() })
    const { code } = await refusalOf(run(other, 'appeal', { report: refusal?.id }))
    assert.equal(code, 'refusal-unknown')
  })

  it('that is upheld draws the very same picture, once', async () => {
    const { moderator, member } = await refused()
    await run(member, 'appeal')
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    const [notice] = await noticesFor(member)
    assert.equal(notice?.buttons?.[0]?.action, `v1:draw:${id}`)
    const context = await next(member)
    await run(context, 'appeal', { draw: id })
    const row = await database.job.findFirstOrThrow({ where: { memberId: member.member.row } })
    const spec = (await findJob(database, row.id))?.spec
    assert.deepEqual(
      [spec?.prompt, spec?.seed, spec && spec.width > spec.height],
      ['a fox terrier', 7, true],
    )
    const again = run(await next(member), 'appeal', { draw: id })
    assert.equal((await refusalOf(again)).code, 'pass-unknown')
  })

  it('that is upheld is nobody else’s', async () => {
    const { moderator, member } = await refused()
    await run(member, 'appeal')
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    const other = await next(member, { member: newName() })
    assert.equal((await refusalOf(run(other, 'appeal', { draw: id }))).code, 'pass-unknown')
  })

  it('that is dismissed stays refused, and is told', async () => {
    const { moderator, member } = await refused()
    await run(member, 'appeal')
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports dismiss', { report: id, answer: 'No.' })
    const [notice] = await noticesFor(member)
    assert.match(notice?.title ?? '', /is dismissed: those words stay refused/)
    assert.equal(notice?.text, 'A moderator says: “No.”')
    const { code } = await refusalOf(run(await next(member), 'imagine', { prompt }))
    assert.equal(code, 'prompt-refused')
  })

  it('leaves its words out of the audit log', async () => {
    const { moderator, member } = await refused()
    await run(member, 'appeal')
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    assert.doesNotMatch(JSON.stringify(await auditOf(moderator)), /terrier/)
  })
})

describe('the router', () => {
  it('tells what was answered under the next answer, once, and by no form', async () => {
    const { moderator, viewer, job } = await newPicture()
    await run(viewer, 'report', { job: job.id, reason: 'rude' })
    const [id = 0] = await openIn(moderator)
    await run(moderator, 'studio reports uphold', { report: id })
    const router = new Router({
      services: viewer.services,
      commands,
      log: ({ error }) => assert.fail(JSON.stringify(error)),
    })
    const say = async (said: { kind: 'action'; action: string } | { kind: 'command' }) =>
      router.handle({
        ...viewer.asked,
        invocationId: newName(),
        ...(said.kind === 'command' ? { ...said, command: 'queue mine', options: {} } : said),
      })
    const form = await say({ kind: 'action', action: `v1:report:${job.id}` })
    const first = await say({ kind: 'command' })
    const second = await say({ kind: 'command' })
    assert.deepEqual(
      [form, first, second].map((replies) => replies.map(({ kind }) => kind)),
      [['form'], ['message', 'message'], ['message']],
    )
  })

  it('keeps members from what is for moderators', async () => {
    const { viewer } = await newPicture()
    const router = new Router({
      services: viewer.services,
      commands,
      log: ({ error }) => assert.fail(JSON.stringify(error)),
    })
    const paths = commands.find(({ name }) => name === 'studio')!.actions
    for (const name of Object.keys(paths)) {
      const [reply] = await router.handle({
        ...viewer.asked,
        invocationId: newName(),
        kind: 'command',
        command: `studio ${name}`,
        options: {},
      })
      assert.match(
        reply?.kind === 'message' ? reply.message.text : '',
        /^Only (?:moder|those)/,
        name,
      )
    }
    assert.deepEqual(await auditOf(viewer), [])
  })
})
