/**
 * What a visitor says or presses, and what is answered. Everything has a nonce of the page's: sent
 * again, because an answer was lost on its way, it is the same message, the same job, the same
 * answer. Forms are not kept; they are asked for anew.
 */
import type { z } from 'zod'
import type { Asked } from '../../jobs/submit.ts'
import { jobOfPicture } from '../../store/web-jobs.ts'
import { findByNonces, findWebMessages, type WebMessage } from '../../store/web-messages.ts'
import type { Invocation } from '../adapter.ts'
import type { PictureOption } from '../command.ts'
import type { Locale } from '../i18n.ts'
import type { Form, Message } from '../message.ts'
import type { Router } from '../router.ts'
import type { Services } from '../services.ts'
import { replyToOf } from './adapter.ts'
import type { KeptFiles } from './kept-files.ts'
import { idOf, type Visitor } from './place.ts'
import { Refused, speaker } from './refusal.ts'
import type { pressRequest, sayRequest } from './requests.ts'
import type { Transcript } from './transcript.ts'
import { type Content, contentOf, jobOf, nonces } from './views.ts'

/** An answer: a message that is kept, or a form to fill in. */
export type Answer =
  | { readonly kind: 'message'; readonly message: WebMessage }
  | { readonly kind: 'form'; readonly form: Form }

/** What somebody said, as it is kept, and what was answered. */
export type Exchange = {
  readonly said: WebMessage | undefined
  readonly answers: readonly Answer[]
}

/** An invocation without what is the same for all of a visitor's. */
type Saying =
  | Pick<Extract<Invocation, { kind: 'text' }>, 'kind' | 'text' | 'attachments' | 'picture'>
  | Pick<Extract<Invocation, { kind: 'action' }>, 'kind' | 'action' | 'options'>

const isCommand = /^\s*[/\uff0f]/
/** As narrow as a flag need not be: words that only look private are none the worse for it. */
const isPrivateWish = /[-\u2010-\u2015\u2212\u2e3a]private/i

/** Answers are numbered; a command has one, or a few. */
const mostAnswers = 10

/** Talks with visitors. */
export class Conversation {
  readonly #services: Services
  readonly #router: Pick<Router, 'handle'>
  readonly #transcript: Transcript
  readonly #files: KeptFiles
  /** What is being answered right now, by its nonce. */
  readonly #underWay = new Map<string, Promise<Exchange>>()

  constructor(
    services: Services,
    router: Pick<Router, 'handle'>,
    kept: { readonly transcript: Transcript; readonly files: KeptFiles },
  ) {
    this.#services = services
    this.#router = router
    this.#transcript = kept.transcript
    this.#files = kept.files
  }

  /**
   * Keeps what was typed and answers it. Everyone in the channel sees it, unless it is a command or
   * asks for a private picture, which is between the member and the bot.
   *
   * @throws {Refused} gone
   */
  async say(visitor: Visitor, locale: Locale, said: z.infer<typeof sayRequest>): Promise<Exchange> {
    const { guild, channel, member } = visitor
    const { nonce, text, replyToId } = said
    return this.#once(nonces.said(`${guild.id}/${member.id}`, nonce), async () => {
      const replied = replyToId === undefined ? undefined : await this.#seen(visitor, replyToId)
      const picture = replied && (await this.#pictureOf(replied, said.picture ?? 1))
      const fileNames = said.attachments.map(({ fileName }) => ({ title: fileName }))
      const content: Content = { text, ...(fileNames.length > 0 && { items: fileNames }) }
      const [message] = await this.#transcript.add(guild, [
        {
          channel: channel.id,
          author: member.id,
          nonce: nonces.said(member.id, nonce),
          content,
          ...(isBetweenUs(text) && { visibleTo: member.id }),
          ...(replyToId !== undefined && { replyToId }),
        },
      ])
      const attachments = said.attachments.map((attachment) => uploadOf(visitor, attachment))
      return this.#answered(
        { visitor, locale, nonce, said: message },
        { kind: 'text', text, attachments, ...(picture && { picture }) },
      )
    })
  }

  /** Does what a button says, with its form's fields if it had one. @throws {Refused} gone */
  async press(
    visitor: Visitor,
    locale: Locale,
    pressed: z.infer<typeof pressRequest>,
  ): Promise<Exchange> {
    const { nonce, action, messageId, attachments } = pressed
    const { guild, member } = visitor
    return this.#once(nonces.said(`${guild.id}/${member.id}`, nonce), async () => {
      if (messageId !== undefined) await this.#seen(visitor, messageId)
      const uploads = attachments.map((each) => [each.field, uploadOf(visitor, each)] as const)
      const options = { ...pressed.fields, ...Object.fromEntries(uploads) }
      const hasOptions = Object.keys(options).length > 0
      return this.#answered(
        { visitor, locale, nonce, ...(messageId !== undefined && { messageId }) },
        { kind: 'action', action, ...(hasOptions && { options }) },
      )
    })
  }

  /** The same nonce twice at once is one; who comes second gets the first one's answer. */
  async #once(nonce: string, work: () => Promise<Exchange>): Promise<Exchange> {
    const known = this.#underWay.get(nonce)
    if (known) return known
    const exchange = work().finally(() => this.#underWay.delete(nonce))
    this.#underWay.set(nonce, exchange)
    return exchange
  }

  async #answered(
    about: {
      readonly visitor: Visitor
      readonly locale: Locale
      readonly nonce: string
      readonly said?: WebMessage | undefined
      readonly messageId?: string
    },
    saying: Saying,
  ): Promise<Exchange> {
    const { visitor, locale, nonce, said, messageId = said?.id } = about
    const { guild, channel, member } = visitor
    const nonceOf = (k: number): string => nonces.answer(member.id, nonce, k)
    const earlier = await findByNonces(
      this.#services.database,
      guild,
      Array.from({ length: mostAnswers }, (_, k) => nonceOf(k)),
    )
    if (earlier.length > 0) return { said, answers: earlier.map(asAnswer) }

    const asked = askedOf(visitor, locale, nonce, messageId)
    const replies = await this.#router.handle({ ...asked, ...saying })
    const forms = replies.filter((reply) => reply.kind === 'form')
    const written = replies
      .filter((reply) => reply.kind === 'message')
      .slice(0, mostAnswers)
      .map(({ message, isPrivate }, k) => ({
        channel: channel.id,
        nonce: nonceOf(k),
        content: this.#contentOf(message),
        ...(isPrivate && { visibleTo: member.id }),
        ...(messageId !== undefined && { replyToId: messageId }),
      }))
    const stored = await this.#transcript.add(guild, written)
    return { said, answers: [...stored.map(asAnswer), ...forms] }
  }

  /** A message that the visitor sees in this channel. */
  async #seen({ guild, channel, member }: Visitor, id: string): Promise<WebMessage> {
    const [message] = await findWebMessages(this.#services.database, [id])
    const isSeen =
      message?.guildRow === guild.row &&
      message.channel === channel.id &&
      !message.isDeleted &&
      (message.visibleTo === undefined || message.visibleTo === member.id)
    if (!isSeen) throw new Refused(404, 'web.gone')
    return message
  }

  /** A picture of a message, by its number there; none if it has none, or it is deleted. */
  async #pictureOf(message: WebMessage, number: number): Promise<PictureOption | undefined> {
    const { pictures, items = [] } = contentOf(message)
    const key = pictures ? pictures[number - 1]?.key : items[number - 1]?.picture?.key
    const found = key && (await jobOfPicture(this.#services.database, key, jobOf(message)))
    return found ? { kind: 'ours', ...found } : undefined
  }

  #contentOf({ file, ...content }: Message): Content {
    if (file === undefined) return content
    return { ...content, file: { fileName: file.fileName, id: this.#files.keep(file) } }
  }
}

function isBetweenUs(text: string): boolean {
  return isCommand.test(text) || isPrivateWish.test(text.normalize('NFKC'))
}

function askedOf(
  visitor: Visitor,
  locale: Locale,
  nonce: string,
  messageId: string | undefined,
): Asked & Pick<Invocation, 'guildName' | 'memberName' | 'idOf'> {
  const { guild, channel, member } = visitor
  const say = speaker(locale)
  return {
    platform: 'web',
    guild: guild.id,
    channel: channel.id,
    member: member.id,
    roleIds: member.roleIds,
    isModerator: member.role === 'moderator',
    isOperator: member.role === 'operator',
    invocationId: `${member.id}/${nonce}`,
    replyTo: replyToOf(visitor, messageId),
    locale,
    guildName: say(guild.name),
    memberName: say(member.name),
    idOf: (kind, said) => idOf(guild, kind, said),
  }
}

function uploadOf(
  { member }: Visitor,
  { fileName, base64 }: { fileName: string; base64: string },
): PictureOption {
  return { kind: 'upload', bytes: Buffer.from(base64, 'base64'), fileName, owner: member.id }
}

function asAnswer(message: WebMessage): Answer {
  return { kind: 'message', message }
}
