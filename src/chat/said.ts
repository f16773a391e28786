/**
 * What an invocation asks for, however it was said: an action of a command and its options, not yet
 * read. A picture that is answered, attached or under a button fills the option that is for it.
 */
import { UserError } from '../core/errors.ts'
import { type Action, actionFor, parseAction } from './action.ts'
import type { Invocation } from './adapter.ts'
import {
  type AnyAction,
  type Command,
  type OptionForms,
  pathOf,
  type PictureOption,
} from './command.ts'
import type { Given } from './forms.ts'
import type { Grammar } from './grammar.ts'
import type { Labels } from './labels.ts'

/** A command's action by its path. */
export type Actions = ReadonlyMap<string, AnyAction>

/** An action, and options as they were given. */
export type Said = { readonly path: string; readonly action: AnyAction; readonly given: Given }

/** All actions of a list of commands. */
export function actionsOf(commands: readonly Command[]): Actions {
  return new Map(
    commands.flatMap(({ name, actions }) =>
      Object.entries(actions).map(
        ([actionName, each]) => [pathOf(name, actionName), each] as const,
      ),
    ),
  )
}

/**
 * What is asked for.
 *
 * @throws {UserError} saying-unknown, action-unknown, words-unexpected, text-too-long,
 *   button-unknown, pictures-too-many
 */
export function saidBy(
  invocation: Invocation,
  facts: { readonly actions: Actions; readonly grammar: Grammar; readonly labels: Labels },
): Said {
  const { actions, grammar, labels } = facts
  if (invocation.kind === 'action') return pressed(invocation, actions)
  if (invocation.kind === 'command') {
    const { command, options, picture } = invocation
    const action = actions.get(command)
    if (!action) throw new UserError('saying-unknown', { command: `/${command}`, nearest: 'none' })
    return { path: command, action, given: withPicture(options, action.options, picture) }
  }
  const { attachments } = invocation
  if (attachments.length > 1) throw new UserError('pictures-too-many', { got: attachments.length })
  const picture = attachments[0] ?? invocation.picture
  const hasPicture = picture !== undefined
  const { path, options } = grammar.read(invocation.text, { hasPicture, labels })
  const action = actions.get(path)
  if (!action) throw new UserError('saying-unknown', { command: `/${path}`, nearest: 'none' })
  return { path, action, given: withPicture(options, action.options, picture) }
}

/** What a button would say for this action and what of its options is known; none if none can. */
export function buttonFor(path: string, values: Given): string | undefined {
  const ours = Object.values(values).find(
    (value) => isPictureOption(value) && value.kind === 'ours',
  )
  const options: Record<string, string | number> = {}
  if (isPictureOption(ours) && ours.kind === 'ours') {
    Object.assign(options, { job: ours.job, picture: ours.picture })
  }
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string' || typeof value === 'number') options[name] = value
  }
  return actionFor({ command: path, options })
}

/** @throws {UserError} button-unknown */
function pressed(invocation: Invocation & { readonly kind: 'action' }, actions: Actions): Said {
  const parsed = parseAction(invocation.action)
  const action = parsed && actions.get(parsed.command)
  if (!parsed || !action) throw new UserError('button-unknown', {})
  const given = { ...givenBy(parsed, action.options), ...invocation.options }
  return { path: parsed.command, action, given }
}

/** A button's subject as the option that this action has for it; what it has none for is dropped. */
function givenBy({ options }: Action, forms: OptionForms): Given {
  const { job, picture, ...others } = options
  const known = Object.entries(others).filter(([name]) => Object.hasOwn(forms, name))
  const given = Object.fromEntries(known)
  if (typeof job !== 'string') return given
  return withPicture(given, forms, {
    kind: 'ours',
    job,
    picture: typeof picture === 'number' ? picture : 1,
  })
}

/** Options with a picture in the option that is for it, unless that was given. */
function withPicture(given: Given, forms: OptionForms, picture: PictureOption | undefined): Given {
  if (picture === undefined) return given
  const firstOf = (kind: string): string | undefined =>
    Object.keys(forms).find((name) => forms[name]!.kind === kind)
  const job = firstOf('job')
  if (picture.kind === 'ours' && job !== undefined) {
    if (given[job] !== undefined) return given
    const hasNumber = forms.picture?.kind === 'integer' && given.picture === undefined
    return { ...given, [job]: picture.job, ...(hasNumber && { picture: picture.picture }) }
  }
  const option = firstOf('picture')
  if (option === undefined || given[option] !== undefined) return given
  return { ...given, [option]: picture }
}

function isPictureOption(value: unknown): value is PictureOption {
  return typeof value === 'object' && value !== null && 'kind' in value
}
