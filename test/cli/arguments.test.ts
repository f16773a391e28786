/** The command line of `imagine` as data. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatOf, readImagineArguments } from '../../src/cli/arguments.ts'
import { UserError } from '../../src/core/errors.ts'

const read = (line: string) => readImagineArguments(line.split(' '))

/** Code and facts of the refusal of a command line. */
function refusal(attempt: () => unknown): unknown {
  try {
    attempt()
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.params]
    throw error
  }
  return assert.fail('expected a UserError, got success')
}

describe('readImagineArguments', () => {
  it('joins the words between the options to the prompt', () => {
    assert.deepEqual(read('a --seed 7 red --n=2 fox'), {
      isHelp: false,
      prompt: 'a red fox',
      seed: 7,
      count: 2,
    })
  })

  it('knows every option', () => {
    const line =
      'fox --width 64 --height 32 --steps 4 --guidance 3.5 --negative rain --image in.png ' +
      '--strength .4 --model nano --precision fp32 --out fox.png'
    assert.deepEqual(read(line), {
      isHelp: false,
      prompt: 'fox',
      width: 64,
      height: 32,
      evaluations: 4,
      guidance: 3.5,
      negativePrompt: 'rain',
      imageFile: 'in.png',
      strength: 0.4,
      model: 'nano',
      precision: 'fp32',
      outFile: 'fox.png',
    })
  })

  it('takes everything after -- as words', () => {
    assert.equal(read('-- --seed is a word').prompt, '--seed is a word')
  })

  it('takes the last of an option said twice', () => {
    assert.equal(read('fox --seed 1 --seed 2').seed, 2)
  })

  it('takes a value that begins with a dash', () => {
    assert.equal(read('fox --guidance -1').guidance, -1)
  })

  it('gives help instead of asking for a prompt', () => {
    assert.deepEqual(read('-h'), { isHelp: true, prompt: '' })
  })

  for (const [line, expected] of [
    ['fox --stpes 4', ['option-unknown', { option: '--stpes', nearest: '--steps' }]],
    ['fox --resolution 4', ['option-unknown', { option: '--resolution', nearest: 'none' }]],
    ['fox --constructor', ['option-unknown', { option: '--constructor', nearest: 'none' }]],
    ['fox --seed', ['option-value-missing', { option: '--seed' }]],
    ['fox --seed --n 2', ['option-value-missing', { option: '--seed' }]],
    ['fox --seed 1.5', ['option-invalid', { option: '--seed', expected: 'integer', got: '1.5' }]],
    ['fox --n two', ['option-invalid', { option: '--n', expected: 'integer', got: 'two' }]],
    ['fox --seed=', ['option-invalid', { option: '--seed', expected: 'integer', got: '' }]],
    [
      'fox --guidance 1e400',
      ['option-invalid', { option: '--guidance', expected: 'number', got: '1e400' }],
    ],
    [
      'fox --precision fp8',
      ['option-invalid', { option: '--precision', expected: 'precision', got: 'fp8' }],
    ],
  ] as const) {
    it(`refuses ${line}`, () => {
      assert.deepEqual(
        refusal(() => read(line)),
        expected,
      )
    })
  }
})

describe('formatOf', () => {
  for (const [file, format] of [
    ['a.png', 'png'],
    ['a.b/c.JPG', 'jpeg'],
    ['a.jpeg', 'jpeg'],
    ['a.webp', 'webp'],
  ] as const) {
    it(`saves ${file} as ${format}`, () => {
      assert.equal(formatOf(file), format)
    })
  }

  for (const file of ['a', 'a.gif', '.png', 'png']) {
    it(`refuses ${file}`, () => {
      assert.deepEqual(
        refusal(() => formatOf(file)),
        ['option-invalid', { option: '--out', expected: 'format', got: file }],
      )
    })
  }
})
