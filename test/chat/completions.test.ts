/** What can be said, as it is offered: in words of a locale, and read back by the grammar. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { completions } from '../../src/chat/completions.ts'
import { Grammar } from '../../src/chat/grammar.ts'
import { chineseLabels, plainLabels, smallCommands } from './small-commands.ts'

const { commands } = smallCommands()

describe('completions', () => {
  it('name every action, in the order of the list', () => {
    assert.deepEqual(
      completions(commands, plainLabels).map(({ name }) => name),
      [
        '/imagine',
        '/edit',
        '/again',
        '/queue mine',
        '/queue cancel',
        '/help',
        '/studio quota set',
        '/studio pause',
      ],
    )
  })

  it('tell the words of an option, its range and choices', () => {
    const [imagine] = completions(commands, chineseLabels)
    const option = (name: string) => imagine?.options.find((each) => each.name === name)
    assert.equal(option('prompt')?.isWords, true)
    assert.deepEqual(option('count'), {
      name: 'count',
      label: '\u6570\u91cf',
      about: 'about',
      kind: 'integer',
      isRequired: false,
      isWords: false,
      least: 1,
      most: 4,
    })
    assert.deepEqual(
      option('shape')?.choices?.map(({ value }) => value),
      ['1:1', '16:9'],
    )
  })

  it('are read by the grammar as the action that they are of', () => {
    const grammar = new Grammar(commands, [plainLabels, chineseLabels])
    for (const labels of [plainLabels, chineseLabels]) {
      for (const { path, name } of completions(commands, labels)) {
        assert.equal(grammar.read(name, { hasPicture: false, labels }).path, path)
      }
    }
  })
})
