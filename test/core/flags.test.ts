/** Options in the text of a prompt: how they are typed, refused, printed and read again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { quotePairs } from '../../src/core/flag-text.ts'
import { type PromptOptions, printPrompt, readPrompt } from '../../src/core/flags.ts'
import { readStyleName } from '../../src/core/style.ts'
import { refusalOf, unlessRefused } from './refusal.ts'

const plain = { isRaw: false, isPrivate: false }

/** Text as it is typed, and what it says besides the plain. */
const readings: readonly (readonly [typed: string, says: Partial<PromptOptions>])[] = [
  ['', { prompt: '' }],
  ['a  red\n fox ', { prompt: 'a red fox' }],
  ['a fox --ar 16:9', { prompt: 'a fox', aspect: { across: 16, down: 9 } }],
  ['a fox --size 512x768', { prompt: 'a fox', size: { width: 512, height: 768 } }],
  ['a fox --seed 42 in snow', { prompt: 'a fox in snow', seed: 42 }],
  ['--n 4 a fox', { prompt: 'a fox', count: 4 }],
  ['a fox --steps=8 --guidance:3.5', { prompt: 'a fox', evaluations: 8, guidance: 3.5 }],
  ['a fox --no rain, fog --raw', { prompt: 'a fox', negativePrompt: 'rain, fog', isRaw: true }],
  ['a fox --no "rain, fog" in snow', { prompt: 'a fox in snow', negativePrompt: 'rain, fog' }],
  ['a fox --style Ink --private', { prompt: 'a fox', style: 'ink', isPrivate: true }],
  ["a fox --style 'ink'", { prompt: 'a fox', style: 'ink' }],
  ['a fox --SEED 1', { prompt: 'a fox', seed: 1 }],
  ['a fox --seed42 --n4', { prompt: 'a fox', seed: 42, count: 4 }],
  ['a fox --seed 42, in snow', { prompt: 'a fox in snow', seed: 42 }],
  ['a fox --raw. In snow', { prompt: 'a fox In snow', isRaw: true }],
  ['a fox,--ar 2:1', { prompt: 'a fox,', aspect: { across: 2, down: 1 } }],
  ['a fox --seed 1 --seed 2', { prompt: 'a fox', seed: 2 }],
  ['fox --ar 1:1 --size 64x64', { prompt: 'fox', size: { width: 64, height: 64 } }],
  ['fox --size 64x64 --ar 1:1', { prompt: 'fox', aspect: { across: 1, down: 1 } }],
  // As Chinese keyboards and phones have it.
  ['一只狐狸 －－ar 16：9', { prompt: '一只狐狸', aspect: { across: 16, down: 9 } }],
  ['一只狐狸——ar 16：9', { prompt: '一只狐狸', aspect: { across: 16, down: 9 } }],
  [
    '一只狐狸－－ａｒ＝１６：９，雪地',
    { prompt: '一只狐狸 雪地', aspect: { across: 16, down: 9 } },
  ],
  ['一只狐狸，--seed：42', { prompt: '一只狐狸，', seed: 42 }],
  ['--seed 42一只狐狸', { prompt: '一只狐狸', seed: 42 }],
  ['狐狸 --style 水墨', { prompt: '狐狸', style: '水墨' }],
  ['狐狸 --no 「雨，雾」 雪地', { prompt: '狐狸 雪地', negativePrompt: '雨，雾' }],
  ['a fox —ar 3:2 –seed 7', { prompt: 'a fox', aspect: { across: 3, down: 2 }, seed: 7 }],
  ['a fox −−seed 7', { prompt: 'a fox', seed: 7 }],
  ['a fox --no “rain and fog”', { prompt: 'a fox', negativePrompt: 'rain and fog' }],
  // What is no flag.
  ['a sign "--ar  16:9" --n 2', { prompt: 'a sign "--ar  16:9"', count: 2 }],
  ['写着「－－raw」的牌子', { prompt: '写着「－－raw」的牌子' }],
  ['a state--of--the art', { prompt: 'a state--of--the art' }],
  ['a fox -- and --- a - cat --', { prompt: 'a fox -- and --- a - cat --' }],
  ['a fox —red and quick— here', { prompt: 'a fox —red and quick— here' }],
  ['狐狸——红色的--在雪里', { prompt: '狐狸——红色的--在雪里' }],
  ['a 5" and a 6" box --n 2', { prompt: 'a 5" and a 6" box', count: 2 }],
  ['an "open quote --n 2', { prompt: 'an "open quote', count: 2 }],
  ["a fox's den --n 2", { prompt: "a fox's den", count: 2 }],
  ['a\u0000fox\ud800', { prompt: 'a fox\ufffd' }],
  ['a\u202e fo\u2066x\u2069', { prompt: 'a fox' }],
]

const refusals: readonly (readonly [typed: string, code: string, facts: object])[] = [
  ['fox --sed 4', 'flag-unknown', { flag: '--sed', nearest: '--seed' }],
  ['fox --Stlye 4', 'flag-unknown', { flag: '--Stlye', nearest: '--style' }],
  ['fox －－sed 4', 'flag-unknown', { flag: '--sed', nearest: '--seed' }],
  ['fox —sed 4', 'flag-unknown', { flag: '--sed', nearest: '--seed' }],
  ['猫 --私密', 'flag-unknown', { flag: '--私密', nearest: 'none' }],
  ['猫 －－种子：7', 'flag-unknown', { flag: '--种子', nearest: 'none' }],
  ['fox --chaos 4', 'flag-unknown', { flag: '--chaos', nearest: 'none' }],
  ['fox --constructor', 'flag-unknown', { flag: '--constructor', nearest: 'none' }],
  ['fox --no-people', 'flag-unknown', { flag: '--no-people', nearest: 'none' }],
  ['fox --seed', 'flag-value-missing', { flag: '--seed' }],
  ['fox --seed --n 2', 'flag-value-missing', { flag: '--seed' }],
  ['fox --no --n 2', 'flag-value-missing', { flag: '--no' }],
  ['fox --no ""', 'flag-value-missing', { flag: '--no' }],
  ['fox --raw=1', 'flag-value-unexpected', { flag: '--raw' }],
  ['fox --seed -1', 'flag-invalid', { flag: '--seed', expected: 'whole', got: '-1' }],
  ['fox --seed 42abc', 'flag-invalid', { flag: '--seed', got: '42abc' }],
  ['fox --seed 4294967296', 'flag-invalid', { flag: '--seed', most: 4294967295 }],
  ['fox --n 9', 'flag-invalid', { flag: '--n', least: 1, most: 8, got: '9' }],
  ['fox --n 0', 'flag-invalid', { flag: '--n', got: '0' }],
  ['fox --steps 1.5', 'flag-invalid', { flag: '--steps', least: 1, most: 200 }],
  ['fox --guidance 31', 'flag-invalid', { flag: '--guidance', expected: 'number', most: 30 }],
  ['fox --guidance .', 'flag-value-missing', { flag: '--guidance' }],
  ['fox --ar wide', 'flag-invalid', { flag: '--ar', expected: 'ar', most: 4, got: 'wide' }],
  ['fox --ar 5:1', 'flag-invalid', { flag: '--ar', got: '5:1' }],
  ['fox --size big', 'flag-invalid', { flag: '--size', expected: 'size', got: 'big' }],
  ['fox --style a:b', 'flag-invalid', { flag: '--style', expected: 'style', got: 'a:b' }],
  ['f'.repeat(4_001), 'text-too-long', { limit: 4_000, got: 4_001 }],
]

describe('readPrompt', () => {
  for (const [typed, says] of readings) {
    it(`reads ${JSON.stringify(typed)}`, () => {
      assert.deepEqual(readPrompt(typed), { ...plain, ...says })
    })
  }

  for (const [typed, code, facts] of refusals) {
    it(`refuses ${typed.slice(0, 40)}`, () => {
      const [gotCode, params] = refusalOf(() => readPrompt(typed))

      assert.equal(gotCode, code)
      assert.partialDeepStrictEqual(params, facts)
    })
  }

  it('names all flags to whoever used an unknown one', () => {
    const [, { flags }] = refusalOf(() => readPrompt('--chaos'))

    assert.equal(flags, '--ar --size --seed --n --steps --guidance --no --style --raw --private')
  })
})

/** Text made of what matters to the grammar, and of anything else. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '--',
        '－－',
        '——',
        '—',
        '-',
        '=',
        '＝',
        ':',
        '：',
        ' ',
        '\n',
        '\u3000',
        '，',
      ),
      fc.constantFrom('"', '“', '”', '「', '」', '『', '』', '＂', "'", '‘', '’', '.', ',', '、'),
      fc.constantFrom(
        'ar',
        'size',
        'seed',
        'n',
        'no',
        'style',
        'raw',
        'private',
        'sed',
        'guidance',
      ),
      fc.constantFrom(
        '16:9',
        '512x768',
        '42',
        '７',
        'fox',
        '狐狸',
        '\ud800',
        '\u0000',
        '\u{20000}',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''))

describe('readPrompt on any text', () => {
  it('answers or refuses, and throws nothing else', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        unlessRefused(() => readPrompt(text))
      }),
      { numRuns: 2_000 },
    )
  })

  it('finds no more flags in what remains, and changes nothing about it', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const options = unlessRefused(() => readPrompt(text))
        if (options === undefined) return
        const { prompt } = options
        assert.deepEqual(readPrompt(prompt), { ...plain, prompt })
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('printPrompt', () => {
  const words = hostile.map((text) => unlessRefused(() => readPrompt(text))?.prompt ?? 'a fox')
  const options = fc
    .record(
      {
        aspect: fc.constantFrom({ across: 16, down: 9 }, { across: 1.85, down: 1 }, undefined),
        size: fc.constantFrom({ width: 512, height: 768 }, undefined),
        seed: fc.nat(2 ** 32 - 1),
        count: fc.integer({ min: 1, max: 8 }),
        evaluations: fc.integer({ min: 1, max: 200 }),
        guidance: fc.nat(3_000).map((percent) => percent / 100),
        negativePrompt: words.filter((text) => text.trim() !== ''),
        style: fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => readStyleName(text)),
        prompt: words,
        isRaw: fc.boolean(),
        isPrivate: fc.boolean(),
      },
      { requiredKeys: ['prompt', 'isRaw', 'isPrivate'], noNullPrototype: true },
    )
    .map(({ aspect, size, style, ...others }): PromptOptions => ({
      ...others,
      ...(style !== undefined && { style }),
      ...(aspect !== undefined ? { aspect } : size !== undefined && { size }),
    }))
    // With every closing mark in it, there is none left to quote with.
    .filter(({ negativePrompt = '' }) =>
      [...quotePairs.values()].some((closing) => !negativePrompt.includes(closing)),
    )

  it('says what is read as the same options', () => {
    fc.assert(
      fc.property(options, (said) => {
        assert.deepEqual(readPrompt(printPrompt(said)), said)
      }),
      { numRuns: 1_000 },
    )
  })

  it('puts the flags before a prompt with quotation marks', () => {
    assert.equal(printPrompt({ ...plain, prompt: 'a 5" fox', seed: 7 }), '--seed 7 a 5" fox')
  })

  it('puts the prompt first otherwise', () => {
    const said: PromptOptions = {
      prompt: 'a fox',
      aspect: { across: 3, down: 2 },
      seed: 7,
      negativePrompt: 'rain',
      style: 'ink',
      isRaw: true,
      isPrivate: true,
    }

    assert.equal(
      printPrompt(said),
      'a fox --ar 3:2 --seed 7 --style ink --raw --private --no "rain"',
    )
  })
})
