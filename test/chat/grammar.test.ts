/** The grammar of typed lines: what is a command, an option, a word; in both languages; and back. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Grammar, type Typed } from '../../src/chat/grammar.ts'
import { UserError } from '../../src/core/errors.ts'
import { chineseLabels, plainLabels, smallCommands } from './small-commands.ts'

const grammar = new Grammar(smallCommands().commands, [plainLabels, chineseLabels])
const read = (text: string, hasPicture: boolean = false): Typed =>
  grammar.read(text, { hasPicture, labels: plainLabels })
const refusal = (text: string): unknown => {
  try {
    return read(text)
  } catch (error) {
    return error instanceof UserError ? [error.code, error.params] : error
  }
}

describe('Grammar reads', () => {
  for (const [line, path, options] of [
    ['/imagine a fox --ar 16:9', 'imagine', { prompt: 'a fox --ar 16:9' }],
    ['a fox --ar 16:9', 'imagine', { prompt: 'a fox --ar 16:9' }],
    ['\u4e00\u53ea\u72d0\u72f8', 'imagine', { prompt: '\u4e00\u53ea\u72d0\u72f8' }],
    ['/\u753b\u56fe \u4e00\u53ea\u72d0\u72f8', 'imagine', { prompt: '\u4e00\u53ea\u72d0\u72f8' }],
    ['/\u753b\u56fe\u4e00\u53ea\u72d0\u72f8', 'imagine', { prompt: '\u4e00\u53ea\u72d0\u72f8' }],
    [
      '\uff0f\u753b\u56fe \u6570\u91cf\uff1a2 \u72d0\u72f8',
      'imagine',
      { count: '2', prompt: '\u72d0\u72f8' },
    ],
    ['/IMAGINE Count:2 a fox', 'imagine', { count: '2', prompt: 'a fox' }],
    ['/imagine a fox count:2 in snow', 'imagine', { count: '2', prompt: 'a fox in snow' }],
    ['/imagine prompt: a fox', 'imagine', { prompt: 'a fox' }],
    ['/imagine prompt:a fox in snow', 'imagine', { prompt: 'a fox in snow' }],
    ['/imagine prompt:"count:2 a fox"', 'imagine', { prompt: 'count:2 a fox' }],
    ['/imagine a sign "count:2 here"', 'imagine', { prompt: 'a sign "count:2 here"' }],
    ['/imagine count: two foxes', 'imagine', { prompt: 'count: two foxes' }],
    [
      '/imagine a clock at 10:30, title: noon',
      'imagine',
      { prompt: 'a clock at 10:30, title: noon' },
    ],
    ['/imagine an inch 5" count:2 wide "', 'imagine', { count: '2', prompt: 'an inch 5" wide "' }],
    ['/queue', 'queue mine', {}],
    ['/queue cancel 7k2mz0q9xa', 'queue cancel', { job: '7k2mz0q9xa' }],
    ['/again 7k2mz0q9xa at night', 'again', { job: '7k2mz0q9xa', changes: 'at night' }],
    ['/again strawberry cake', 'again', { changes: 'strawberry cake' }],
    [
      '/studio quota set @bob 40 he draws a lot',
      'studio quota set',
      { member: '@bob', seconds: '40', reason: 'he draws a lot' },
    ],
    [
      '/\u5de5\u4f5c\u5ba4 \u989d\u5ea6 \u8bbe\u7f6e seconds:40 @bob',
      'studio quota set',
      { member: '@bob', seconds: '40' },
    ],
    ['', 'help', {}],
    ['/', 'help', {}],
  ] as const) {
    it(`${line || 'nothing'} as ${path}`, () => {
      assert.deepEqual(read(line), { path, options })
    })
  }

  it('words about a picture as what to do to it', () => {
    assert.deepEqual(read('make it night', true), {
      path: 'edit',
      options: { instruction: 'make it night' },
    })
  })

  it('a picture without words as one to edit', () => {
    assert.deepEqual(read('', true), { path: 'edit', options: {} })
  })
})

describe('Grammar refuses', () => {
  for (const [line, code, facts] of [
    ['/imagin a fox', 'saying-unknown', { command: '/imagin', nearest: '/imagine' }],
    ['/dance', 'saying-unknown', { command: '/dance', nearest: 'none' }],
    [
      '/queue dance',
      'action-unknown',
      { command: '/queue', action: 'dance', actions: 'mine / cancel' },
    ],
    [
      '/studio quota dance',
      'action-unknown',
      { command: '/studio quota', action: 'dance', actions: 'set' },
    ],
    ['/help me', 'words-unexpected', { command: '/help', words: 'me' }],
    [
      '/queue cancel 7k2mz0q9xa now',
      'words-unexpected',
      { command: '/queue cancel', words: 'now' },
    ],
    ['a'.repeat(4_001), 'text-too-long', { limit: 4_000, got: 4_001 }],
  ] as const) {
    it(`${line.slice(0, 40)} with ${code}`, () => {
      assert.deepEqual(refusal(line), [code, facts])
    })
  }
})

const markless = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).map((text) =>
  text
    .toWellFormed()
    .replaceAll(/["\u201d\u300d\u300f\uff02]/g, '')
    .trim(),
)
const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'count:2',
        'shape:16:9',
        'prompt:',
        'a',
        '--ar 16:9',
        '5"',
        '"',
        '\u300c',
        ':',
      ),
      fc.constantFrom('/imagine', '\u6570\u91cf\uff1a3', 'private:yes', 'fox', '\u3000', ' ', "'"),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join(' ').trim())
const someText = fc.oneof(markless, pieces).filter((text) => text !== '')

describe('Grammar', () => {
  it('reads what it prints, in every locale', () => {
    const options = fc.record(
      {
        prompt: someText,
        count: fc.integer({ min: 1, max: 4 }).map(String),
        style: markless.filter((text) => text !== ''),
      },
      { requiredKeys: ['prompt'] },
    )
    fc.assert(
      fc.property(options, fc.constantFrom(plainLabels, chineseLabels), (said, labels) => {
        const typed = { path: 'imagine', options: said }
        assert.deepEqual({ ...read(grammar.print(typed, labels)).options }, { ...said })
      }),
      { numRuns: 500 },
    )
  })

  it('leaves words without a slash as they are', () => {
    fc.assert(
      fc.property(someText, (text) => {
        const line = text.replace(/^[/\uff0f]+/, '').trim()
        fc.pre(line !== '' && !/^[/\uff0f]/.test(line))
        assert.equal(read(line).options.prompt, line)
      }),
    )
  })

  it('leaves words that name no option as they are', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}:?[0-9]{0,2}[,.!]?$/)
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 10 }), (said) => {
        const prompt = said.join(' ')
        fc.pre(!/\b(?:prompt|shape|count|private|style):/.test(prompt))
        assert.deepEqual(read(`/imagine ${prompt}`).options, { prompt })
      }),
    )
  })

  it('reads anything, or refuses it', () => {
    const known = new Set(['saying-unknown', 'action-unknown', 'words-unexpected', 'text-too-long'])
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const read = refusal(`/${text}`)
        assert.ok(!Array.isArray(read) || known.has(String(read[0])), String(read))
        assert.ok(!(read instanceof Error), String(read))
      }),
      { numRuns: 500 },
    )
  })
})
