/**
 * The words of commands and their options, by key: names and descriptions that the locales hold
 * under `commands.`. A word that a locale lacks is the plain name in our code, so that a command can
 * be said before it is described.
 */
import { wordKey } from './command.ts'
import { catalogues, type Locale } from './i18n.ts'

/**
 * A word of a locale: `(path, 'name')` and `(path, 'about')` of a command, its group or its action;
 * `(path, option, 'name')`, `(path, option, 'about')` and `(path, option, choice)` of an option.
 */
export type Labels = (path: string, ...rest: readonly string[]) => string

/** The words of a locale. */
export function labelsOf(locale: Locale): Labels {
  const catalogue: Readonly<Record<string, string>> = catalogues[locale]
  return (path, ...rest) => {
    const key = wordKey(path, ...rest)
    return Object.hasOwn(catalogue, key) ? catalogue[key]! : plainWord(path, rest)
  }
}

/** The words of all locales, for whoever reads what anybody may have typed. */
export const everyLabels: readonly Labels[] = Object.keys(catalogues)
  .filter((name): name is Locale => Object.hasOwn(catalogues, name))
  .map(labelsOf)

/** How a command is written, in words of a locale: `/studio quota set`. */
export function saidPath(path: string, labels: Labels): string {
  const parts = path.split(' ')
  return `/${parts.map((_, at) => labels(parts.slice(0, at + 1).join(' '), 'name')).join(' ')}`
}

function plainWord(path: string, rest: readonly string[]): string {
  const [last] = rest.slice(-1)
  if (last === 'about') return ''
  if (last !== 'name') return last ?? path
  return rest.at(-2) ?? path.split(' ').at(-1)!
}
