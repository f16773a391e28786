/**
 * What the bot says, before it is anybody's JSON: platform-neutral, already in words of one locale.
 * Adapters show as much of it as their platform can, in this order. Texts are plain: whatever looks
 * like markup or a mention in them was written by somebody and is shown as written.
 */

/** A picture of ours; `altText` says in words what was asked for. */
export type ShownPicture = {
  /** Its blob. */
  readonly key: string
  readonly width: number
  readonly height: number
  readonly altText: string
  readonly fileName: string
  /** Covered until somebody wants to see it, where the platform can. */
  readonly isCovered?: boolean
}

/** A button; `action` is what `printAction` gives, valid for ever. */
export type Button = {
  readonly label: string
  readonly action: string
  readonly style: 'plain' | 'primary' | 'danger'
}

/** One entry of a list: a job of the queue, a picture of the gallery, a report. */
export type Item = {
  readonly title: string
  readonly text?: string
  readonly picture?: ShownPicture
  readonly buttons?: readonly Button[]
}

/** A message. */
export type Message = {
  /** The sentence or sentences it is about. */
  readonly text: string
  /** Somebody's own words, set apart from ours. */
  readonly quote?: string
  /** Evaluations done, and of how many. */
  readonly progress?: { readonly done: number; readonly of: number; readonly text: string }
  /** A row of the previews, to be shown under `progress`. */
  readonly previewId?: string
  readonly pictures?: readonly ShownPicture[]
  /** One line of facts: seed, size, steps, time, model, job. */
  readonly facts?: string
  /** Lines to copy, each with what it is: a seed, a prompt. */
  readonly copy?: readonly { readonly label: string; readonly text: string }[]
  readonly items?: readonly Item[]
  /** Rows of buttons, five in a row and five rows at most. */
  readonly buttons?: readonly (readonly Button[])[]
  /** For whoever asked for it alone, so only in private messages. */
  readonly file?: {
    readonly fileName: string
    readonly contentType: string
    readonly bytes: Uint8Array
  }
}

/** Something to fill in before a command can run, made of the options that it lacks. */
export type Form = {
  readonly title: string
  /** The command and what is known already: `printAction`. */
  readonly action: string
  readonly fields: readonly FormField[]
  readonly submitLabel: string
}

/** A field of a form; `name` is the option's. */
export type FormField = {
  readonly name: string
  readonly label: string
  readonly about?: string
  readonly isRequired: boolean
  readonly value?: string
} & (
  | { readonly kind: 'text'; readonly isLong: boolean; readonly mostCharacters: number }
  | {
      readonly kind: 'choice'
      readonly choices: readonly { readonly value: string; readonly label: string }[]
    }
  | { readonly kind: 'picture' }
)

/** What a command answers with. */
export type Reply =
  | {
      readonly kind: 'message'
      readonly message: Message
      /** Only the asker sees it. */
      readonly isPrivate: boolean
    }
  | { readonly kind: 'form'; readonly form: Form }

/** An answer that only the asker sees. */
export function privately(message: Message): Reply {
  return { kind: 'message', message, isPrivate: true }
}
