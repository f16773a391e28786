/**
 * What people can say, platform-neutral. A command is a name and one or more actions with typed
 * options; every word of it (names, descriptions, choices) is in the locales, under keys derived from
 * its path: `commands.studio.quota.set.about`, `commands.imagine.prompt.name`. Slash commands, text
 * grammars and forms are derived from it, so they cannot disagree.
 */
import type { Rank, Verb } from '../core/permission.ts'
import type { Asked } from '../jobs/submit.ts'
import type { StoredGuild, StoredMember } from '../store/guilds.ts'
import type { Locale, Words } from './i18n.ts'
import type { Reply } from './message.ts'
import type { Services } from './services.ts'

/** What an option holds, and its range. */
export type OptionForm = { readonly isRequired?: boolean } & (
  | { readonly kind: 'prompt' } // words to draw, with flags in them (`core/flags.ts`)
  | { readonly kind: 'text'; readonly mostCharacters: number }
  | { readonly kind: 'integer'; readonly least: number; readonly most: number }
  | { readonly kind: 'number'; readonly least: number; readonly most: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'flag' }
  | { readonly kind: 'style' } // with completion
  | { readonly kind: 'job' } // a job's id
  | { readonly kind: 'picture' } // an upload, or a picture of ours
  | { readonly kind: 'member' | 'role' | 'channel' } // the platform's id
)

/** A picture that somebody points at: their bytes, or one of ours by job and number from 1. */
export type PictureOption =
  | {
      readonly kind: 'upload'
      readonly bytes: Uint8Array
      readonly fileName: string
      /** The platform's id of whose it is: another's may be edited only with their consent. */
      readonly owner: string
    }
  | { readonly kind: 'ours'; readonly job: string; readonly picture: number }

/** What an option's value is. */
export type OptionValue<Form extends OptionForm = OptionForm> = Form extends {
  readonly kind: 'integer' | 'number'
}
  ? number
  : Form extends { readonly kind: 'flag' }
    ? boolean
    : Form extends { readonly kind: 'picture' }
      ? PictureOption
      : Form extends { readonly kind: 'choice'; readonly choices: readonly (infer Choice)[] }
        ? Choice
        : string

/** Options by name. */
export type OptionForms = Readonly<Record<string, OptionForm>>

/** The values of a command's options: those that are not required may be absent. */
export type OptionValues<Forms extends OptionForms> = {
  readonly [
    Name in keyof Forms as Forms[Name] extends { readonly isRequired: true } ? Name : never
  ]: OptionValue<Forms[Name]>
} & {
  readonly [
    Name in keyof Forms as Forms[Name] extends { readonly isRequired: true } ? never : Name
  ]?: OptionValue<Forms[Name]>
}

/** With what an action runs. */
export type Context = {
  readonly say: Words
  readonly locale: Locale
  readonly guild: StoredGuild
  readonly member: StoredMember
  /** What the member is in this guild, now. */
  readonly rank: Rank
  /** What was asked, for admission. */
  readonly asked: Asked
  readonly services: Services
  readonly nowMs: number
}

/** One thing that a command does. */
export type CommandAction<Forms extends OptionForms = OptionForms> = {
  /** What one must be allowed; the router checks it before anything else. */
  readonly verb: Verb
  readonly options: Forms
  /** @throws {UserError} whatever the member is to be told instead */
  readonly run: (context: Context, options: OptionValues<Forms>) => Promise<Reply>
}

/**
 * A command with its actions: one under the empty name, or several, each of one or two words (`view`,
 * `quota set`).
 */
export type Command = {
  readonly name: string
  readonly actions: Readonly<Record<string, AnyAction>>
}

/** An action whose options are not known to the type checker: the router has checked them. */
export type AnyAction = Omit<CommandAction, 'run'> & {
  // Careful: method syntax, so that an action with narrower options is one too.
  run(context: Context, options: Readonly<Record<string, OptionValue | undefined>>): Promise<Reply>
}

/** An action as it is written in `commands/`: its options type its `run`. */
export function action<const Forms extends OptionForms>(written: CommandAction<Forms>): AnyAction {
  return written
}

/** The path of an action: `imagine`, `studio quota set`. */
export function pathOf(command: string, actionName: string): string {
  return actionName === '' ? command : `${command} ${actionName}`
}

/** The key of a word about an action or one of its options. */
export function wordKey(path: string, ...rest: string[]): string {
  return ['commands', ...path.split(' '), ...rest].join('.')
}
