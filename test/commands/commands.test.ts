/** Every command: its words in every locale, and the platforms' limits on them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commands } from '../../commands/index.ts'
import { parseAction, printAction } from '../../src/chat/action.ts'
import { pathOf, wordKey } from '../../src/chat/command.ts'
import { readOptions } from '../../src/chat/forms.ts'
import { Grammar } from '../../src/chat/grammar.ts'
import { catalogues, type Locale, words } from '../../src/chat/i18n.ts'
import { labelsOf } from '../../src/chat/labels.ts'
import { type Rank, verbs } from '../../src/core/permission.ts'
import { readPrompt } from '../../src/core/flags.ts'

const locales = ['en-US', 'zh-CN'] as const satisfies readonly Locale[]
const nameRule = /^[-_'\p{L}\p{N}\p{sc=Deva}\p{sc=Thai}]{1,32}$/u
const mostAbout = 100
const mostEntries = 25

const actions = commands.flatMap(({ name, actions }) =>
  Object.entries(actions).map(([actionName, action]) => ({
    path: pathOf(name, actionName),
    action,
  })),
)
/** Every path that has words of its own: commands, groups and actions. */
const paths = [
  ...new Set(
    actions.flatMap(({ path }) => {
      const parts = path.split(' ')
      return parts.map((_, index) => parts.slice(0, index + 1).join(' '))
    }),
  ),
]

for (const locale of locales) {
  const catalogue: Readonly<Record<string, string>> = catalogues[locale]
  const word = (path: string, ...rest: string[]): string =>
    catalogue[wordKey(path, ...rest)] ?? assert.fail(`${locale} has no ${wordKey(path, ...rest)}`)

  describe(`commands in ${locale}`, () => {
    it('have names that every platform takes', () => {
      for (const path of paths) {
        const name = word(path, 'name')
        assert.match(name, nameRule, path)
        assert.equal(name, name.toLowerCase(), path)
      }
    })

    it('have names that nothing beside them has', () => {
      const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf(' ')))
      for (const [parent, children] of Map.groupBy(paths, parentOf)) {
        const names = children.map((path) => word(path, 'name'))
        assert.equal(new Set(names).size, names.length, `${parent}: ${names.join()}`)
      }
    })

    it('say what they do in at most 100 characters', () => {
      // Of a group, which platforms only show as a way to its actions, the name is enough.
      for (const path of [...commands.map(({ name }) => name), ...actions.map((it) => it.path)]) {
        const about = word(path, 'about')
        assert.ok(about.length >= 1 && about.length <= mostAbout, `${path}: ${about}`)
      }
    })

    it('have words for every option and every choice', () => {
      for (const { path, action } of actions) {
        const names = Object.entries(action.options).map(([option, form]) => {
          const about = word(path, option, 'about')
          assert.ok(about.length >= 1 && about.length <= mostAbout, `${path} ${option}`)
          for (const choice of form.kind === 'choice' ? form.choices : []) {
            const label = word(path, option, choice)
            assert.ok(label.length >= 1 && label.length <= mostAbout, `${path} ${option} ${choice}`)
          }
          const name = word(path, option, 'name')
          assert.match(name, nameRule, `${path} ${option}`)
          return name
        })
        assert.equal(new Set(names).size, names.length, `${path}: ${names.join()}`)
      }
    })

    it('can be said as the help says', () => {
      const say = words(locale)
      const grammar = new Grammar(commands)
      const labels = labelsOf(locale)
      for (const name of ['draw', 'flags', 'style', 'edit', 'again', 'queue'] as const) {
        const line = say(`help.${name}.command`)
        const { path, options } = grammar.read(line, { hasPicture: false, labels })
        const { action } = actions.find((each) => each.path === path)!
        const { missing, values } = readOptions({ path, forms: action.options, labels }, options)
        assert.deepEqual(missing, [], line)
        for (const [option, form] of Object.entries(action.options)) {
          const value = values[option]
          if (form.kind === 'prompt' && typeof value === 'string') readPrompt(value)
        }
      }
    })
  })
}

describe('commands', () => {
  it('have at most 25 actions or groups of them, and each at most 25 options', () => {
    for (const { name, actions: each } of commands) {
      const groups = Map.groupBy(Object.keys(each), (action) => action.split(' ', 1)[0])
      for (const entries of [groups, ...groups.values()]) {
        assert.ok([...entries].length <= mostEntries, name)
      }
      for (const { options } of Object.values(each)) {
        assert.ok(Object.keys(options).length <= mostEntries, name)
      }
    }
  })

  it('are for every member, but for those that look at others', () => {
    const withRank = (rank: Rank): string[] =>
      actions
        .filter(({ path, action }) => !path.startsWith('studio ') && verbs[action.verb] === rank)
        .map(({ path }) => path)
    assert.deepEqual(withRank('moderator'), ['queue all'])
    const open = ['quota', 'privacy export', 'privacy delete', 'help']
    assert.deepEqual(
      open.filter((path) => !withRank('blocked').includes(path)),
      [],
    )
  })

  it('list what is required before what is not', () => {
    for (const { path, action } of actions) {
      const required = Object.values(action.options).map(({ isRequired = false }) => isRequired)
      const sorted = required.toSorted((one, other) => Number(other) - Number(one))
      assert.deepEqual(required, sorted, path)
    }
  })

  it('are there for every button of theirs', () => {
    const verbs = ['again', 'edit', 'cancel', 'info', 'keep', 'drop', 'delete', 'report'] as const
    for (const verb of verbs) {
      const { command } = parseAction(printAction(verb, '7k2mz0q9xa', 1))!
      assert.ok(
        actions.some(({ path }) => path === command),
        command,
      )
    }
  })
})
