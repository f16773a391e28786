/** Who may use how much of the devices: seconds of device time, with what that is in pictures. */
import { action, type Context } from '../../src/chat/command.ts'
import type { Words } from '../../src/chat/i18n.ts'
import { type Item, privately } from '../../src/chat/message.ts'
import { UserError } from '../../src/core/errors.ts'
import { allowance, type Quota } from '../../src/core/quota.ts'
import { amountRange, quotaOfAmount, windowOf } from '../../src/core/quota-amount.ts'
import { sizeText } from '../../src/core/size.ts'
import { waitFacts } from '../../src/core/wait.ts'
import { memberCalled, resetQuota, setQuota } from '../../src/jobs/people.ts'
import { priceMicros } from '../../src/jobs/submit.ts'
import { type Share, usageOf } from '../../src/jobs/usage.ts'
import { namesOf } from '../../src/store/directory.ts'
import { accountsOf, defaultQuota, quotasOf, type QuotaSubject } from '../../src/store/quota.ts'
import { moderatingOf } from './moderating.ts'

/** A picture as the model draws it by default, and what it costs. */
export type UsualPicture = { readonly size: string; readonly micros: number }

const whose = { kind: 'choice', choices: ['guild', 'everyone', 'role', 'member'] } as const

const show = action({
  verb: 'studio quota',
  options: { member: { kind: 'member' } },
  run: async (context, { member }) => {
    const { say } = context
    const picture = await usualPicture(context)
    if (member !== undefined) return privately(await ofMember(context, member, picture))
    const { services, guild, nowMs } = context
    const set = await quotasOf(services.database, guild)
    const ids = set.map(({ subject }) => ('id' in subject ? subject.id : ''))
    const nameOf = await namesOf(services.database, guild, ids)
    const items = set.map(({ subject, quota }): Item => {
      const id = 'id' in subject ? subject.id : ''
      const name = subject.scope === 'member' ? nameOf(id) : id
      return {
        title: say('studio.quota-subject', { whose: subject.scope, name }),
        text: quotaText(say, quota, picture),
      }
    })
    const isEveryoneSet = set.some(({ subject }) => subject.scope === 'everyone')
    if (!isEveryoneSet) {
      items.unshift({
        title: say('studio.quota-subject', { whose: 'everyone', name: '' }),
        text: say('studio.quota-usual', { amount: quotaText(say, defaultQuota, picture) }),
      })
    }
    const payers = { guild, member: context.member }
    const ofGuild = (await accountsOf(services.database, payers, { isLocked: false, nowMs })).guild
    const share = ofGuild.quota && {
      quota: ofGuild.quota,
      left: allowance(ofGuild.usage, ofGuild.quota, nowMs),
    }
    const text = [say('studio.quota-shown'), ...(share ? [leftText(say, 'guild', share)] : [])]
    return privately({ text: text.join('\n'), items })
  },
})

const set = action({
  verb: 'studio quota',
  options: {
    whose: { ...whose, isRequired: true },
    role: { kind: 'role' },
    member: { kind: 'member' },
    seconds: { kind: 'integer', ...amountRange },
    window: { kind: 'choice', choices: ['hour', 'day', 'week'] },
    cap: { kind: 'integer', least: 1, most: 100 * amountRange.most },
    instead: { kind: 'choice', choices: ['none', 'default'] },
  },
  run: async (context, options) => {
    const { say } = context
    const { seconds, window = 'day', cap, instead } = options
    if (seconds === undefined && instead === undefined) {
      throw new UserError('quota-incomplete', { missing: 'amount' })
    }
    if (seconds !== undefined && instead !== undefined) {
      throw new UserError('quota-contradictory', {})
    }
    const { subject, name } = await subjectOf(context, options)
    const quota =
      seconds === undefined
        ? instead === 'none'
          ? null
          : undefined
        : quotaOfAmount({ seconds, window, capSeconds: cap })
    const before = await setQuota(moderatingOf(context), subject, quota)
    const picture = await usualPicture(context)
    return privately({
      text: say('studio.quota-set', {
        subject: say('studio.quota-subject', { whose: subject.scope, name }),
        was: quotaText(say, before, picture),
        is: quotaText(say, quota, picture),
      }),
    })
  },
})

const reset = action({
  verb: 'studio quota',
  options: { member: { kind: 'member', isRequired: true } },
  run: async (context, { member }) => {
    const { say, services, guild } = context
    const target = await memberCalled(services.database, guild, member)
    const seconds = await resetQuota(moderatingOf(context), target)
    return privately({ text: say('studio.quota-reset', { name: target.name, seconds }) })
  },
})

/** The actions about quotas. */
export const quotaActions = { 'quota show': show, 'quota set': set, 'quota reset': reset }

/** What a picture of the usual size costs here. */
export async function usualPicture({ services }: Context): Promise<UsualPicture> {
  const defaults = (await services.modelCard())?.defaults ?? unknownModel
  const micros = priceMicros({
    kind: 'imagine',
    prompt: '',
    seed: 0,
    count: 1,
    isRaw: true,
    isPrivate: false,
    ...defaults,
  })
  return { size: sizeText(defaults), micros }
}

/** A quota in words: no limit, no rule, or seconds and pictures in a window. */
export function quotaText(
  say: Words,
  quota: Quota | null | undefined,
  { size, micros }: UsualPicture,
): string {
  if (quota === null) return say('studio.quota-none')
  if (quota === undefined) return say('studio.quota-default')
  const { refillMicros, windowMs, hardCapMicros } = quota
  return say('studio.quota-amount', {
    seconds: Math.round(refillMicros / 1e6),
    window: windowOf(quota) ?? 'other',
    hours: Math.round(windowMs / 360_000) / 10,
    cap: Math.round(hardCapMicros / 1e6),
    pictures: Math.floor(refillMicros / micros),
    size,
  })
}

/** Until a worker has told what its model likes: as Z-Image-Turbo does. */
const unknownModel = { width: 1024, height: 1024, evaluations: 8, guidance: 0 }

async function ofMember(
  context: Context,
  typed: string,
  picture: UsualPicture,
): Promise<{ readonly text: string }> {
  const { say, services, guild, nowMs } = context
  const target = await memberCalled(services.database, guild, typed)
  // A known member is all that an account needs of one.
  const payers = { guild, member: target }
  const { member, rule } = await usageOf(services.database, payers, nowMs)
  const amount = quotaText(say, member?.quota ?? null, picture)
  const lines = [
    say('studio.quota-of-member', { name: target.name, rule, amount }),
    ...(member ? [leftText(say, 'member', member)] : []),
  ]
  return { text: lines.join('\n') }
}

function leftText(say: Words, whose: 'guild' | 'member', { left }: Share): string {
  const { wait, unit } = waitFacts(left.fullInMs)
  return say('studio.quota-left', {
    whose,
    used: Math.ceil(left.usedMicros / 1e6),
    fast: Math.floor(left.fastMicros / 1e6),
    wait: left.usedMicros === 0 ? 0 : wait,
    unit,
  })
}

/** Whose quota is meant. @throws {UserError} quota-incomplete, member-unknown */
async function subjectOf(
  { services, guild }: Context,
  said: {
    readonly whose: (typeof whose.choices)[number]
    readonly role?: string
    readonly member?: string
  },
): Promise<{ readonly subject: QuotaSubject; readonly name: string }> {
  const { whose: scope, role, member } = said
  if (scope === 'guild' || scope === 'everyone') return { subject: { scope }, name: '' }
  if (scope === 'role') {
    if (role === undefined) throw new UserError('quota-incomplete', { missing: 'role' })
    // Discord's role for everyone is called as its guild is.
    const isEveryone = role === 'everyone' || guild.id.endsWith(`:${role}`)
    return isEveryone
      ? { subject: { scope: 'everyone' }, name: '' }
      : { subject: { scope, id: role }, name: role }
  }
  if (member === undefined) throw new UserError('quota-incomplete', { missing: 'member' })
  const { id, name } = await memberCalled(services.database, guild, member)
  return { subject: { scope, id }, name }
}
