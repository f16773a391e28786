/**
 * What can be said, for whoever offers it while it is typed: every action with its words in one
 * locale and its options with theirs.
 */
import { type Command, type OptionForm, pathOf } from './command.ts'
import { type Labels, saidPath } from './labels.ts'
import { wordsOption } from './grammar.ts'

/** An action that can be said. */
export type Completion = {
  /** In our names: `studio quota set`. */
  readonly path: string
  /** In words of the locale, as it is typed. */
  readonly name: string
  readonly about: string
  readonly options: readonly OptionCompletion[]
}

/** An option that can be said. */
export type OptionCompletion = {
  readonly name: string
  /** In words of the locale: typed before a colon. */
  readonly label: string
  readonly about: string
  readonly kind: OptionForm['kind']
  readonly isRequired: boolean
  /** Its value is the rest of the line. */
  readonly isWords: boolean
  readonly choices?: readonly { readonly value: string; readonly label: string }[]
  readonly least?: number
  readonly most?: number
}

/** Everything that can be said, in the order of the list. */
export function completions(commands: readonly Command[], labels: Labels): Completion[] {
  return commands.flatMap(({ name: command, actions }) =>
    Object.entries(actions).map(([actionName, { options }]) => {
      const path = pathOf(command, actionName)
      const last = wordsOption(options)
      return {
        path,
        name: saidPath(path, labels),
        about: labels(path, 'about'),
        options: Object.entries(options).map(([name, form]) => ({
          name,
          label: labels(path, name, 'name'),
          about: labels(path, name, 'about'),
          kind: form.kind,
          isRequired: form.isRequired ?? false,
          isWords: name === last,
          ...(form.kind === 'choice' && {
            choices: form.choices.map((value) => ({ value, label: labels(path, name, value) })),
          }),
          ...('least' in form && { least: form.least, most: form.most }),
        })),
      }
    }),
  )
}
