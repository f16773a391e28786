/**
 * What is said to the bot, on any platform, comes through here: who says it and where, what they may
 * and in which language; then the command runs. Everything that goes wrong becomes a sentence here,
 * in one of the two catches of the house.
 */
import { randomBytes } from 'node:crypto'
import { UserError } from '../core/errors.ts'
import { jobIdBytes, jobIdOf } from '../core/job-id.ts'
import { checkMay, type Rank, rankOf } from '../core/permission.ts'
import type { Asked } from '../jobs/submit.ts'
import {
  blockOf,
  ensureGuild,
  ensureMember,
  guildId,
  type StoredGuild,
  type StoredMember,
} from '../store/guilds.ts'
import { refusalKeptMs, refusalOf } from '../store/refusals.ts'
import { printAction } from './action.ts'
import type { Invocation } from './adapter.ts'
import type { Command } from './command.ts'
import { type FailureFacts, failureFacts } from './failure.ts'
import { formOf, missingValue, readOptions } from './forms.ts'
import { Grammar } from './grammar.ts'
import { errorSentence, type Locale, localeFor, type Words, words } from './i18n.ts'
import { keptReplies } from './kept.ts'
import { labelsOf } from './labels.ts'
import { privately, type Reply } from './message.ts'
import { noticeReplies } from './notices.ts'
import { type Actions, actionsOf, buttonFor, saidBy } from './said.ts'
import type { Services } from './services.ts'

/** An unexpected failure, for the log. */
export type Failure = {
  /** What the member was told to name. */
  readonly reference: string
  /** As `discord:42`. */
  readonly guild: string
  /** How it was said. */
  readonly kind: Invocation['kind']
  readonly error: FailureFacts
}

/** What a router is made of. */
export type RouterOptions = {
  readonly services: Services
  readonly commands: readonly Command[]
  readonly log: (failure: Failure) => void
  /** Who runs this: `discord:42`, `slack:TEAM/USER`. */
  readonly operators?: ReadonlySet<string>
}

/** Somebody, here and now. */
type Speaker = {
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly rank: Rank
  /** How long a block lasts still, if there is one with an end. */
  readonly blockedForMs?: number
  readonly locale: Locale
  readonly asked: Asked
}

/** How long, and how many, answers are kept for what a platform delivers once more. */
const answersKeptMs = 10 * 60_000
const mostAnswers = 5_000

/** Answers what is said. */
export class Router {
  readonly #services: Services
  readonly #actions: Actions
  readonly #grammar: Grammar
  readonly #log: RouterOptions['log']
  readonly #operators: ReadonlySet<string>
  /** By guild and invocation, oldest first. */
  readonly #answers = new Map<
    string,
    { readonly atMs: number; replies: Promise<readonly Reply[]> }
  >()

  constructor({ services, commands, log, operators = new Set() }: RouterOptions) {
    this.#services = services
    this.#actions = actionsOf(commands)
    this.#grammar = new Grammar(commands)
    this.#log = log
    this.#operators = operators
  }

  /** The answers to something said; the same thing said again has the same. Never rejects. */
  handle(invocation: Invocation): Promise<readonly Reply[]> {
    const nowMs = this.#services.now()
    this.#forgetAnswers(nowMs)
    const key = `${guildOf(invocation)}/${invocation.invocationId}`
    const known = this.#answers.get(key)
    if (known) return known.replies
    const replies = this.#answer(invocation, () => this.#answers.delete(key))
    this.#answers.set(key, { atMs: nowMs, replies })
    return replies
  }

  async #answer(invocation: Invocation, forget: () => void): Promise<readonly Reply[]> {
    // Until the member's own is known.
    let say = words(localeFor(invocation.locale))
    let speaker: Speaker | undefined
    try {
      this.#checkServed(invocation)
      speaker = await this.#speakerOf(invocation)
      say = words(speaker.locale)
      const reply = await this.#run(invocation, speaker, say)
      if (reply.kind === 'form') return [reply] // Platforms take a form alone.
      if (reply.message.file !== undefined) forget()
      return [
        reply,
        ...(await keptReplies(this.#services, speaker.member, say)),
        ...(await noticeReplies(this.#services, speaker, say)),
      ]
    } catch (error) {
      if (error instanceof UserError) {
        return [await this.#refusal(say, error, speaker)]
      }
      // Said once more, it may work.
      forget()
      const reference = jobIdOf(randomBytes(jobIdBytes))
      const { kind } = invocation
      this.#log({ reference, guild: guildOf(invocation), kind, error: failureFacts(error) })
      return [privately({ text: say('chat.internal', { reference }) })]
    }
  }

  /** @throws {UserError} guild-not-served, before anything is stored about a guild */
  #checkServed(invocation: Invocation): void {
    const { servedGuilds } = this.#services.admission
    if (servedGuilds && !servedGuilds.has(guildOf(invocation))) {
      throw new UserError('guild-not-served', {})
    }
  }

  async #speakerOf(invocation: Invocation): Promise<Speaker> {
    const { database, now } = this.#services
    const { platform, locale: told, guildName, memberName, roleIds } = invocation
    const nowMs = now()
    const guild = await ensureGuild(database, {
      platform,
      platformId: invocation.guild,
      ...(told !== undefined && { locale: localeFor(told) }),
      ...(guildName !== undefined && { name: guildName }),
    })
    const member = await ensureMember(database, guild, {
      id: invocation.member,
      roleIds,
      nowMs,
      ...(memberName !== undefined && { name: memberName }),
    })
    const block = await blockOf(database, guild, member, nowMs)
    const isModerator = invocation.isModerator || member.isModerator
    const isOperator = invocation.isOperator || this.#isOperator(invocation)
    const locale = localeFor(member.locale ?? told ?? guild.locale)
    return {
      guild,
      member,
      locale,
      rank: rankOf({ isOperator, isModerator, isBlocked: block !== undefined }),
      ...(block?.untilMs !== undefined && { blockedForMs: block.untilMs - nowMs }),
      asked: {
        platform,
        guild: invocation.guild,
        channel: invocation.channel,
        member: invocation.member,
        roleIds,
        isModerator,
        isOperator,
        invocationId: invocation.invocationId,
        replyTo: { ...invocation.replyTo, locale },
        locale,
      },
    }
  }

  #isOperator({ platform, guild, member }: Invocation): boolean {
    return [`${platform}:${member}`, `${platform}:${guild}/${member}`].some((name) =>
      this.#operators.has(name),
    )
  }

  /** @throws {UserError} what the command throws, and whatever is wrong with how it was said */
  async #run(invocation: Invocation, speaker: Speaker, say: Words): Promise<Reply> {
    const labels = labelsOf(speaker.locale)
    const { path, action, given } = saidBy(invocation, {
      actions: this.#actions,
      grammar: this.#grammar,
      labels,
    })
    checkMay(speaker.rank, action.verb, speaker.blockedForMs)
    const reading = { path, forms: action.options, labels, idOf: invocation.idOf }
    const { values, missing } = readOptions(reading, given)
    const [lacking] = missing
    if (lacking === undefined) {
      const services = this.#services
      return action.run({ ...speaker, say, services, nowMs: services.now() }, values)
    }
    // A form that comes back without what it asked for is not shown again: platforms refuse that.
    const isFilled = invocation.kind === 'action' && invocation.options !== undefined
    const button = invocation.kind === 'action' ? invocation.action : buttonFor(path, values)
    if (isFilled || button === undefined) throw missingValue(reading, lacking)
    return { kind: 'form', form: formOf(reading, missing, { action: button, say }) }
  }

  /** What is said instead; a refusal by a word list can be appealed. */
  async #refusal(say: Words, error: UserError, speaker?: Speaker): Promise<Reply> {
    const text = errorSentence(say, error)
    const { database, now } = this.#services
    const refusal =
      speaker && error.code === 'prompt-refused'
        ? // Without its appeal a refusal is to be told all the same.
          await refusalOf(database, speaker.member, { nowMs: now() }).catch(() => undefined)
        : undefined
    if (!refusal) return privately({ text })
    const about = say('chat.appeal-about', { days: refusalKeptMs / 86_400_000 })
    const action = printAction('appeal', refusal.id)
    return privately({
      text: `${text}\n${about}`,
      buttons: [[{ label: say('chat.appeal'), action, style: 'plain' }]],
    })
  }

  #forgetAnswers(nowMs: number): void {
    for (const [key, { atMs }] of this.#answers) {
      if (nowMs - atMs < answersKeptMs && this.#answers.size <= mostAnswers) break
      this.#answers.delete(key)
    }
  }
}

function guildOf({ platform, guild }: Invocation): string {
  return guildId(platform, guild)
}
