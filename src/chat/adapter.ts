/**
 * What every chat platform does for us, and how it fails. An adapter turns what happens on its
 * platform into invocations for the router, shows the router's replies to who asked, and shows jobs'
 * messages where the notifier says. It decides nothing.
 */
import type { ReplyTo } from '../store/jobs.ts'
import type { Asked } from '../jobs/submit.ts'
import type { PictureOption } from './command.ts'
import type { Message } from './message.ts'

/** What has an id on its platform and a name that people see. */
export type NamedKind = 'member' | 'role' | 'channel'

/** Something said to the bot: a command with options as its platform gave them, or words to read. */
export type Invocation = Asked & {
  /** As the platform says; none if it does not. */
  readonly locale?: string
  /** How the platform shows them, for lists; never looked anybody up by. */
  readonly guildName?: string
  readonly memberName?: string
  /**
   * The id of what somebody calls so, on a platform whose text has names and no ids; none if there
   * is no such one.
   */
  readonly idOf?: (kind: NamedKind, said: string) => string | undefined
  /** A picture that this answers: the job of the message that was replied to. */
  readonly picture?: PictureOption
} & (
    | {
        readonly kind: 'command'
        /** The path, as `pathOf` gives it. */
        readonly command: string
        readonly options: Readonly<Record<string, unknown>>
      }
    /** A button pressed, or its form filled in: `options` are the form's fields. */
    | {
        readonly kind: 'action'
        readonly action: string
        readonly options?: Readonly<Record<string, unknown>>
      }
    /** Typed text: a slash command, or words to draw, or what to do to the picture replied to. */
    | {
        readonly kind: 'text'
        readonly text: string
        readonly attachments: readonly PictureOption[]
      }
  )

/** How a job's message is shown. */
export type Showing = {
  /** The same nonce never makes two messages: the job's id. */
  readonly nonce: string
  /** The message as it was shown before; edited, or made anew when it is gone. */
  readonly shown: ReplyTo | undefined
  /** The last edit: pictures, a failure, a cancel. */
  readonly isFinal: boolean
  /** The platform's id of the member who alone may see it: of a private job. */
  readonly visibleTo: string | undefined
  /** Aborted when it has taken too long: what was not shown by then must not be shown later. */
  readonly signal: AbortSignal
}

/** A platform. */
export type Adapter = {
  readonly platform: Asked['platform']
  /**
   * Shows a job's message at the place of its `replyTo`.
   *
   * @returns what is needed to edit it
   * @throws {DeliveryError} when it could not; anything else is a broken promise of ours
   */
  readonly show: (place: ReplyTo, message: Message, showing: Showing) => Promise<ReplyTo>
  /** Takes a job's message away, if the platform lets us. */
  readonly remove: (place: ReplyTo, shown: ReplyTo) => Promise<void>
}

/** A message that could not be shown. */
export class DeliveryError extends Error {
  /** `later`: try again, after `retryAfterMs`; `gone`: the place does not take it, and will not. */
  readonly kind: 'later' | 'gone'
  readonly retryAfterMs: number

  constructor(kind: 'later' | 'gone', retryAfterMs = 0, options?: ErrorOptions) {
    super(`delivery: ${kind}`, options)
    this.name = 'DeliveryError'
    this.kind = kind
    this.retryAfterMs = retryAfterMs
  }
}
