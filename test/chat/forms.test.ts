/** Values of options: what each form takes, in which range, and what it refuses. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OptionForm } from '../../src/chat/command.ts'
import { readOptions } from '../../src/chat/forms.ts'
import { UserError } from '../../src/core/errors.ts'
import { plainLabels } from './small-commands.ts'

/** The value, or the code of the refusal. */
const read = (form: OptionForm, given: unknown): unknown => {
  const reading = { path: 'imagine', forms: { it: form }, labels: plainLabels }
  try {
    return readOptions(reading, { it: given }).values.it
  } catch (error) {
    if (error instanceof UserError) return error.code
    throw error
  }
}
const forms: readonly OptionForm[] = [
  { kind: 'prompt' },
  { kind: 'text', mostCharacters: 10 },
  { kind: 'integer', least: 1, most: 4 },
  { kind: 'number', least: 0.1, most: 1 },
  { kind: 'choice', choices: ['1:1', '16:9'] },
  { kind: 'flag' },
  { kind: 'style' },
  { kind: 'job' },
  { kind: 'picture' },
  { kind: 'member' },
]

describe('readOptions', () => {
  it('reads names by what the platform calls them, and refuses what it calls nothing', () => {
    const forms = { who: { kind: 'member' }, where: { kind: 'channel' } } as const
    const idOf = (_kind: string, said: string) => (said === 'Lin' ? '42' : undefined)
    const reading = { path: 'imagine', forms, labels: plainLabels, idOf }

    assert.deepEqual(readOptions(reading, { who: '@Lin' }).values, { who: '42' })
    assert.throws(() => readOptions(reading, { where: 'nowhere' }), { code: 'value-invalid' })
  })

  for (const [form, given, value] of [
    [{ kind: 'integer', least: 1, most: 4 }, '\uff13', 3],
    [{ kind: 'integer', least: 1, most: 4 }, 3, 3],
    [{ kind: 'integer', least: 1, most: 4 }, '2.5', 'value-invalid'],
    [{ kind: 'integer', least: 1, most: 4 }, 5, 'value-invalid'],
    [{ kind: 'integer', least: 1, most: 4 }, NaN, 'value-invalid'],
    [{ kind: 'number', least: 0.1, most: 1 }, '.5', 0.5],
    [{ kind: 'number', least: 0.1, most: 1 }, '1e-1', 'value-invalid'],
    [{ kind: 'text', mostCharacters: 3 }, 'four', 'text-too-long'],
    [{ kind: 'text', mostCharacters: 9 }, ' a\u0000b ', 'a b'],
    [{ kind: 'choice', choices: ['on', 'off'] }, 'ON', 'on'],
    [{ kind: 'flag' }, '\u662f', true],
    [{ kind: 'flag' }, false, false],
    [{ kind: 'flag' }, 'maybe', 'value-invalid'],
    [{ kind: 'job' }, '#7K2MZ-0Q9XA', '7k2mz0q9xa'],
    [{ kind: 'job' }, 'none', 'job-unknown'],
    [{ kind: 'picture' }, '7k2mz0q9xa/2', { kind: 'ours', job: '7k2mz0q9xa', picture: 2 }],
    [{ kind: 'picture' }, { kind: 'ours', job: '7k2mz0q9xa', picture: 9 }, 'value-invalid'],
    [{ kind: 'member' }, '<@!42>', '42'],
    [{ kind: 'member' }, '<@U42|bob>', 'U42'],
    [{ kind: 'member' }, '@bob', 'bob'],
    [{ kind: 'channel' }, '<#C42|general>', 'C42'],
    [{ kind: 'member' }, 'two words', 'value-invalid'],
  ] as const) {
    it(`reads ${JSON.stringify(given)} as ${form.kind}: ${JSON.stringify(value)}`, () => {
      assert.deepEqual(read(form, given), value)
    })
  }

  it('takes an empty value for one that was left out', () => {
    for (const form of forms) assert.equal(read(form, '  '), undefined)
  })

  it('reads anything that a platform may send as a value in range, or refuses it', () => {
    const refusals = new Set<unknown>(['value-invalid', 'text-too-long', 'job-unknown'])
    const isIn: Partial<Record<OptionForm['kind'], (value: unknown) => boolean>> = {
      integer: (value) => [1, 2, 3, 4].some((each) => each === value),
      number: (value) => typeof value === 'number' && value >= 0.1 && value <= 1,
      choice: (value) => value === '1:1' || value === '16:9',
      flag: (value) => typeof value === 'boolean',
      text: (value) => typeof value === 'string' && value.length <= 10,
      job: (value) => typeof value === 'string' && /^[0-9a-z]{10}$/.test(value),
      picture: (value) => typeof value === 'object' && value !== null && 'kind' in value,
    }
    const given = fc.oneof(fc.anything(), fc.float(), fc.integer({ min: -9, max: 9 }).map(String))
    fc.assert(
      fc.property(fc.constantFrom(...forms), given, (form, said) => {
        const value = read(form, said)
        const isValue = isIn[form.kind] ?? ((each) => typeof each === 'string')
        assert.ok(value === undefined || refusals.has(value) || isValue(value))
      }),
      { numRuns: 1_000 },
    )
  })
})
