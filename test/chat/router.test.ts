/** What is said, by whom and how, and what comes of it: the router over a real database. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { printAction } from '../../src/chat/action.ts'
import { labelsOf } from '../../src/chat/labels.ts'
import type { Message, Reply } from '../../src/chat/message.ts'
import { type Failure, Router } from '../../src/chat/router.ts'
import { UserError } from '../../src/core/errors.ts'
import { submit } from '../../src/jobs/submit.ts'
import { countDeliveryAttempt, findDelivery } from '../../src/store/deliveries.ts'
import { ensureGuild, ensureMember, saveMember } from '../../src/store/guilds.ts'
import { settleFailed } from '../../src/store/jobs.ts'
import { inTransaction } from '../../src/store/prisma.ts'
import { refusalOf } from '../../src/store/refusals.ts'
import { newAsked, newName, newSpec } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { newInvocation, newServices } from './services.ts'
import { type Run, smallCommands } from './small-commands.ts'

const url = await newDatabase()
let nowMs = Date.UTC(2026, 0, 1)
const now = (): number => nowMs
const services = newServices(url, { now })
const { database } = services

const newRouter = (
  act?: (run: Run) => Promise<void> | void,
  operators?: ReadonlySet<string>,
): { readonly router: Router; readonly runs: Run[]; readonly failures: Failure[] } => {
  const { commands, runs } = smallCommands(act)
  const failures: Failure[] = []
  const log = (failure: Failure): number => failures.push(failure)
  const router = new Router({ services, commands, log, ...(operators && { operators }) })
  return { router, runs, failures }
}
const messageOf = (reply: Reply | undefined): Message => {
  assert.equal(reply?.kind, 'message')
  return reply.message
}
const typed = (text: string): { kind: 'text'; text: string; attachments: [] } => ({
  kind: 'text',
  text,
  attachments: [],
})
const press = (action: string, options?: Record<string, unknown>) =>
  ({ kind: 'action', action, ...(options && { options }) }) as const
const command = (name: string, options: Record<string, unknown> = {}) =>
  ({ kind: 'command', command: name, options }) as const
const job = '7k2mz0q9xa'

describe('Router runs', () => {
  for (const [how, said, path, options] of [
    [
      'a command',
      command('imagine', { prompt: 'a fox', count: 2 }),
      'imagine',
      { prompt: 'a fox', count: 2 },
    ],
    ['typed words', typed('/imagine a fox count:2'), 'imagine', { prompt: 'a fox', count: 2 }],
    ['a button', press(printAction('cancel', job)), 'queue cancel', { job }],
    [
      'a form',
      press(printAction('edit', job, 2), { instruction: 'make it night' }),
      'edit',
      { instruction: 'make it night', image: { kind: 'ours', job, picture: 2 } },
    ],
    [
      'an answer to a picture',
      { ...typed('make it night'), picture: { kind: 'ours', job, picture: 1 } },
      'edit',
      { instruction: 'make it night', image: { kind: 'ours', job, picture: 1 } },
    ],
    [
      'a command about a picture',
      { ...command('again'), picture: { kind: 'ours', job, picture: 1 } },
      'again',
      { job },
    ],
    ['nothing at all', typed(''), 'help', {}],
  ] as const) {
    it(how, async () => {
      const { router, runs } = newRouter()
      const replies = await router.handle(newInvocation(said))
      assert.deepEqual([runs[0]?.path, runs[0]?.options, replies.length], [path, options, 1])
    })
  }

  it('with the guild and the member it found or made, under the names they have', async () => {
    const { router, runs } = newRouter()
    await router.handle(newInvocation({ ...typed('/help'), guildName: 'Foxes', memberName: 'Bo' }))
    const { guild, member } = runs[0]!.context
    const rows = [
      await database.guild.findUnique({ where: { id: guild.row } }),
      await database.member.findUnique({ where: { id: member.row } }),
    ]
    assert.deepEqual(
      rows.map((row) => row?.name),
      ['Foxes', 'Bo'],
    )
  })

  it('with a place to answer in that tells the language', async () => {
    const { router, runs } = newRouter()
    await router.handle(newInvocation(typed('/help'), { locale: 'zh-TW' }))
    assert.deepEqual(runs[0]!.context.asked.replyTo, {
      channel: 'pictures',
      message: 'm1',
      locale: 'zh-CN',
    })
  })
})

describe('Router speaks', () => {
  const localeOf = async (facts: { own?: string; told?: string; guild?: string }) => {
    const { router, runs } = newRouter()
    const [name, by] = [newName(), newName()]
    const guild = await ensureGuild(database, {
      platform: 'discord',
      platformId: name,
      ...(facts.guild && { locale: facts.guild }),
    })
    const member = await ensureMember(database, guild, { id: by, roleIds: [] })
    if (facts.own) await saveMember(database, member, { locale: facts.own })
    const told = facts.told === undefined ? {} : { locale: facts.told }
    await router.handle(newInvocation(typed('/help'), { guild: name, member: by, ...told }))
    return runs[0]!.context.locale
  }

  it('as the member has chosen', async () => {
    assert.equal(await localeOf({ own: 'zh-CN', told: 'en-GB', guild: 'en-US' }), 'zh-CN')
  })
  it('else as the platform says', async () => {
    assert.equal(await localeOf({ told: 'zh-TW', guild: 'en-US' }), 'zh-CN')
  })
  it('else as the guild does', async () => {
    assert.equal(await localeOf({ guild: 'zh-CN' }), 'zh-CN')
  })
})

describe('Router ranks', () => {
  const rankOf = async (
    by: Parameters<typeof newInvocation>[1],
    prepare: (where: { guild: string; member: string }) => Promise<void> = async () => undefined,
  ): Promise<string | undefined> => {
    const where = { guild: newName(), member: newName() }
    await prepare(where)
    const operators = new Set(['discord:boss', `slack:${where.guild}/chief`])
    const { router, runs } = newRouter(undefined, operators)
    await router.handle(newInvocation(typed('/help'), { ...where, ...by }))
    return runs[0]?.context.rank
  }
  const memberAt = async ({ guild, member }: { guild: string; member: string }) => {
    const stored = await ensureGuild(database, { platform: 'discord', platformId: guild })
    return { stored, row: await ensureMember(database, stored, { id: member, roleIds: [] }) }
  }

  it('anybody as a member', async () => assert.equal(await rankOf({}), 'member'))
  it('whom the platform calls so as a moderator', async () => {
    assert.equal(await rankOf({ isModerator: true }), 'moderator')
  })
  it('whom a moderator has named as a moderator', async () => {
    const rank = await rankOf({}, async (where) => {
      await saveMember(database, (await memberAt(where)).row, { isModerator: true })
    })
    assert.equal(rank, 'moderator')
  })
  it('whom the settings name as operators', async () => {
    const ranks = [
      await rankOf({ member: 'boss' }),
      await rankOf({ member: 'chief', platform: 'slack' }),
      await rankOf({ member: 'chief' }),
    ]
    assert.deepEqual(ranks, ['operator', 'operator', 'member'])
  })
  it('whom a moderator has blocked as blocked, who may still ask for help', async () => {
    const rank = await rankOf({}, async (where) => {
      const { stored, row } = await memberAt(where)
      await database.block.create({ data: { guildId: stored.row, memberId: row.row } })
    })
    assert.equal(rank, 'blocked')
  })
})

describe('Router refuses privately', () => {
  const upload = {
    kind: 'upload',
    bytes: new Uint8Array(),
    fileName: 'a.png',
    owner: 'ann',
  } as const
  it('whom a moderator has blocked for a time, and says for how long', async () => {
    const { router } = newRouter()
    const where = { guild: newName(), member: newName() }
    const guild = await ensureGuild(database, { platform: 'discord', platformId: where.guild })
    const member = await ensureMember(database, guild, { id: where.member, roleIds: [] })
    const until = new Date(nowMs + 2 * 3_600_000)
    await database.block.create({ data: { guildId: guild.row, memberId: member.row, until } })
    const [reply] = await router.handle(newInvocation(typed('/imagine a fox'), where))
    assert.match(messageOf(reply).text, /blocked you.*in 2 hours/s)
  })
  for (const [what, said, sentence] of [
    ['what only moderators may', typed('/studio pause'), /^Only moderators/],
    ['an unknown command', typed('/imagin a fox'), /no command .\/imagin.*Did you mean \/imagine/],
    ['a button of nobody', press('v9:explode:42'), /button is not known/],
    ['a number out of range', command('imagine', { prompt: 'a', count: 9 }), /from 1 to 4.*“9”/],
    ['an unknown choice', typed('/imagine a fox shape:round'), /one of 1:1.* \/ 16:9.*“round”/],
    ['two pictures', { ...typed('a fox'), attachments: [upload, upload] }, /One picture.*not 2/],
    ['no instruction in a form', press(printAction('edit', job), { instruction: ' ' }), /missing/],
    ['an option that is none', command('imagine', { prompt: 'a', evil: 1 }), /no use for “evil”/],
    [
      'a picture that is none',
      command('edit', { instruction: 'a', image: { kind: 'ours', job: '../etc', picture: 1 } }),
      /picture/,
    ],
  ] as const) {
    it(what, async () => {
      const { router, runs, failures } = newRouter()
      const [reply] = await router.handle(newInvocation(said))
      assert.match(messageOf(reply).text, sentence)
      assert.deepEqual(
        [reply?.kind === 'message' && reply.isPrivate, runs, failures],
        [true, [], []],
      )
    })
  }

  it('in the language of who asks', async () => {
    const [reply] = await newRouter().router.handle(
      newInvocation(typed('/imagin'), { locale: 'zh-CN' }),
    )
    assert.match(messageOf(reply).text, /^\u6ca1\u6709/)
  })

  it('guilds that are not served, of which nothing is stored', async () => {
    const { commands } = smallCommands()
    const admission = { ...services.admission, servedGuilds: new Set(['discord:42']) }
    const router = new Router({
      services: { ...services, admission },
      commands,
      log: () => undefined,
    })
    const guild = newName()
    const [reply] = await router.handle(newInvocation(typed('/help'), { guild }))
    assert.match(messageOf(reply).text, /does not draw for this community/)
    assert.equal(await database.guild.count({ where: { platformId: guild } }), 0)
  })

  it('a prompt on a word list, with a button to appeal that knows the prompt', async () => {
    const by = newAsked()
    const guild = await ensureGuild(database, { ...by, platformId: by.guild })
    await database.word.create({ data: { guildId: guild.row, word: 'fox' } })
    const { router, runs } = newRouter(async ({ context }) => {
      await submit(services.admission, context.asked, newSpec())
    })
    const [reply] = await router.handle(newInvocation(typed('a red fox'), by))
    const message = messageOf(reply)
    assert.match(message.text, /“fox”[^]*kept for 7 days/)
    const { member } = runs[0]!.context
    const id = Number(message.buttons?.[0]?.[0]?.action.split(':')[2])
    const refusal = await refusalOf(database, member, { id, nowMs })
    assert.equal(refusal?.spec.prompt, newSpec().prompt)
    assert.equal(await refusalOf(database, { row: member.row + 1 }, { id, nowMs }), undefined)
  })
})

describe('Router asks', () => {
  it('with a form for what a button lacks', async () => {
    const labels = labelsOf('en-US')
    const { router, runs } = newRouter()
    const [reply] = await router.handle(newInvocation(press(printAction('edit', job, 2))))
    assert.deepEqual(reply, {
      kind: 'form',
      form: {
        title: labels('edit', 'name'),
        action: printAction('edit', job, 2),
        fields: [
          {
            name: 'instruction',
            label: labels('edit', 'instruction', 'name'),
            about: labels('edit', 'instruction', 'about'),
            isRequired: true,
            kind: 'text',
            isLong: true,
            mostCharacters: 500,
          },
        ],
        submitLabel: 'Send',
      },
    })
    assert.equal(runs.length, 0)
  })

  it('with the same form for a picture answered without words', async () => {
    const said = { ...typed(''), picture: { kind: 'ours', job, picture: 2 } } as const
    const [reply] = await newRouter().router.handle(newInvocation(said))
    assert.equal(reply?.kind === 'form' && reply.form.action, printAction('edit', job, 2))
  })

  it('in words for what no button can say', async () => {
    const [reply] = await newRouter().router.handle(newInvocation(typed('/imagine')))
    assert.match(messageOf(reply).text, /“prompt” is missing/)
  })
})

describe('Router', () => {
  it('answers the same thing said again the same, and does it once', async () => {
    const { router, runs } = newRouter()
    const invocation = newInvocation(typed('/help'))
    const answers = await Promise.all([1, 2, 3].map(() => router.handle(invocation)))
    assert.deepEqual([answers[1], answers[2], runs.length], [answers[0], answers[0], 1])
  })

  it('takes the same id for another thing in another guild', async () => {
    const { router, runs } = newRouter()
    for (const guild of [newName(), newName()]) {
      await router.handle(newInvocation(typed('/help'), { guild, invocationId: 'same' }))
    }
    assert.equal(runs.length, 2)
  })

  it('forgets what was said long ago', async () => {
    const { router, runs } = newRouter()
    const invocation = newInvocation(typed('/help'))
    await router.handle(invocation)
    nowMs += 3_600_000
    await router.handle(invocation)
    assert.equal(runs.length, 2)
  })

  it('tells a reference of what breaks, logs no prompt with it, and tries again', async () => {
    let isBroken = true
    const { router, failures } = newRouter(() => {
      if (isBroken) throw new Error('while drawing a secret fox')
    })
    const invocation = newInvocation(typed('a secret fox'))
    const [reply] = await router.handle(invocation)
    const { reference, error } = failures[0]!
    assert.ok(messageOf(reply).text.includes(reference))
    assert.ok(error.at.length > 0 && !JSON.stringify(failures).includes('fox'))
    isBroken = false
    const [again] = await router.handle(invocation)
    assert.match(messageOf(again).text, /^imagine/)
  })

  it('tells a member once what could not be delivered', async () => {
    const by = newAsked()
    const { job: failed } = await submit(services.admission, by, newSpec())
    const error = { code: 'runner-out-of-memory', params: {} }
    await inTransaction(database, (transaction) =>
      settleFailed(transaction, failed.id, 1, { error, costMicros: 0, nowMs }),
    )
    await countDeliveryAttempt(database, failed.id, true)
    const { router } = newRouter()
    const told = async (): Promise<number> =>
      (await router.handle(newInvocation(typed('/help'), { ...by, invocationId: newName() })))
        .length
    const [first, second] = [await told(), await told()]
    assert.deepEqual([first, second], [2, 1])
    assert.equal((await findDelivery(database, failed.id))?.isDelivered, true)
  })

  it('lets commands refuse', async () => {
    const { router } = newRouter(() => {
      throw new UserError('channel-closed', {})
    })
    const [reply] = await router.handle(newInvocation(typed('a fox')))
    assert.match(messageOf(reply).text, /cannot be asked for in this channel/)
  })
})
