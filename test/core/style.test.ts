/** Styles: names, templates, and putting them around a prompt. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { checkedStyle, findStyle, readStyleName, styled } from '../../src/core/style.ts'
import { refusalOf } from './refusal.ts'

const ink = {
  name: 'ink',
  template: 'ink painting of {prompt}, thin lines',
  negativePrompt: 'colour',
}
const shuimo = { name: '水墨', template: '水墨画，{prompt}' }

describe('styled', () => {
  it('puts the words where the template says', () => {
    assert.deepEqual(styled({ prompt: 'a fox', negativePrompt: 'snow' }, ink), {
      prompt: 'ink painting of a fox, thin lines',
      negativePrompt: 'snow, colour',
    })
  })

  it('has no negative prompt where neither has one', () => {
    assert.deepEqual(styled({ prompt: '狐狸' }, shuimo), { prompt: '水墨画，狐狸' })
  })

  it('keeps every prompt as it is, dollars and braces too', () => {
    const texts = fc.oneof(fc.string(), fc.constantFrom('$&', '$`', '{prompt}', '$1'))
    fc.assert(
      fc.property(texts, (prompt) => {
        assert.equal(styled({ prompt }, ink).prompt, `ink painting of ${prompt}, thin lines`)
      }),
    )
  })
})

describe('findStyle', () => {
  it('finds in any case and width', () => {
    assert.equal(findStyle(' ＩＮＫ', [ink, shuimo]), ink)
    assert.equal(findStyle('水墨', [ink, shuimo]), shuimo)
  })

  it('prefers the first of two', () => {
    const own = { ...ink, template: '{prompt}!' }

    assert.equal(findStyle('ink', [own, ink]), own)
  })

  it('names the nearest of an unknown style', () => {
    assert.deepEqual(
      refusalOf(() => findStyle('imk', [ink])),
      ['style-unknown', { style: 'imk', nearest: 'ink' }],
    )
  })

  it('does not find a style by a name that cannot be one', () => {
    assert.equal(refusalOf(() => findStyle('', [{ ...ink, name: '!' }]))[0], 'style-unknown')
  })
})

describe('checkedStyle', () => {
  it('tidies the name', () => {
    assert.deepEqual(checkedStyle({ ...ink, name: ' Ink ' }), ink)
  })

  for (const [field, style] of [
    ['name', { ...ink, name: 'two words' }],
    ['name', { ...ink, name: '--ar' }],
    ['template', { ...ink, template: 'no place' }],
    ['template', { ...ink, template: '{prompt} {prompt}' }],
    ['template', { ...ink, template: `{prompt}${'a'.repeat(500)}` }],
    ['negative', { ...ink, negativePrompt: 'a'.repeat(501) }],
  ] as const) {
    it(`refuses a ${field} such as ${style.name}, ${style.template.slice(0, 20)}`, () => {
      const [code, params] = refusalOf(() => checkedStyle(style))

      assert.deepEqual([code, params.field], ['style-invalid', field])
    })
  }
})

describe('readStyleName', () => {
  it('reads its own names again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (typed) => {
        const name = readStyleName(typed)
        assert.ok(name === undefined || readStyleName(name) === name)
      }),
    )
  })
})
