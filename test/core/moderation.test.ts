/** Word lists: what hits, where, and what must not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { folded, withoutStandIns } from '../../src/core/folding.ts'
import { WordList, checkedWord } from '../../src/core/moderation.ts'
import { simplifiedOf } from '../../src/core/traditional.ts'
import { refusalOf } from './refusal.ts'

/** The parts of a text that hit. */
function hit(words: readonly string[], text: string): string[] {
  return new WordList(words).hits(text).map(({ start, end }) => text.slice(start, end))
}

describe('WordList', () => {
  for (const [word, text, part] of [
    ['gore', 'a scene of gore.', 'gore'],
    ['gore', 'GORE', 'GORE'],
    ['gore', 'ｇｏｒｅ', 'ｇｏｒｅ'],
    ['gore', 'go\u200bre', 'go\u200bre'],
    ['café', 'a CAFE\u0301!', 'CAFE\u0301'],
    ['cafe', 'a café', 'café'],
    ['straße', 'STRASSE', 'STRASSE'],
    ['gore', '画gore图', 'gore'],
    ['child abuse', 'child -- abuse', 'child -- abuse'],
    ['child-abuse', 'Child  Abuse', 'Child  Abuse'],
    ['porn', 'p0rn', 'p0rn'],
    ['porn', 'Ｐ０rn', 'Ｐ０rn'],
    ['kill', 'k1ll', 'k1ll'],
    ['blood', 'b1ood', 'b1ood'],
    ['sex', '$ex', '$ex'],
    ['法轮功', '画法轮功的图', '法轮功'],
    ['法轮功', '畫法輪功的圖', '法輪功'],
    ['法輪功', '画法轮功', '法轮功'],
    ['裸體', '全裸体的人', '裸体'],
    ['AV女优', 'ａｖ女優', 'ａｖ女優'],
    ['섹스', '섹스를', '섹스'],
    ['nsfw18', 'nsfw18', 'nsfw18'],
  ] as const) {
    it(`finds ${word} in ${text}`, () => {
      assert.deepEqual(hit([word], text), [part])
    })
  }

  for (const [word, text] of [
    ['ass', 'a glass of grass'],
    ['ass', 'a55 paper and the A55'],
    ['gore', 'gores'],
    ['child abuse', 'child'],
    ['child abuse', 'a child abused'],
    ['ee', 'the 33rd'],
    ['is', '15 cats, 1s and 5s'],
    ['色情', '黄色 情书'],
    ['色情', '黄色，情书'],
    ['AV女优', 'BAV女优'],
    ['가', '각'],
  ] as const) {
    it(`does not find ${word} in ${text}`, () => {
      assert.deepEqual(hit([word], text), [])
    })
  }

  it('tells the longest of several words, as the list has it', () => {
    assert.deepEqual(new WordList(['gun', 'Gun Shot', 'shot']).hits('a gun shot'), [
      { rule: 'Gun Shot', start: 2, end: 10 },
    ])
  })

  it('tells every hit in order', () => {
    assert.deepEqual(hit(['gore', '血', 'porn'], 'p0rn, 血 and gore'), ['p0rn', '血', 'gore'])
  })

  it('counts places in UTF-16 units', () => {
    assert.deepEqual(new WordList(['gore']).hits('\u{1f98a} gore'), [
      { rule: 'gore', start: 3, end: 7 },
    ])
  })

  it('is empty for words of nothing', () => {
    assert.deepEqual(hit(['', '!', '\u200b'], 'anything! at all'), [])
  })

  it('refuses by the name of the rule', () => {
    assert.deepEqual(
      refusalOf(() => new WordList(['Gore']).check('some gore')),
      ['prompt-refused', { rule: 'Gore' }],
    )
    assert.equal(new WordList(['gore']).check('a fox'), undefined)
  })
})

const letters = fc.string({
  unit: fc.constantFrom(...Array.from('abcz é0轮輪血가 -\u200b')),
  maxLength: 8,
})
const word = fc
  .string({ unit: fc.constantFrom(...Array.from('abcé轮輪血가')), minLength: 2, maxLength: 4 })
  .map((text) => checkedWord(text))

describe('WordList on any text', () => {
  it('finds every word that stands by itself', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), letters, (words, around) => {
        const hits = new WordList(words).hits(`${around} ${words[0]} ${around}`)
        const [from, to] = [around.length + 1, around.length + 1 + words[0]!.length]
        assert.ok(hits.some(({ start, end }) => start <= from && end >= to))
      }),
    )
  })

  it('tells a part of the text that is the rule, folded', () => {
    const fold = (text: string): string => folded(text).characters.join('').trim()
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), fc.array(letters), (words, parts) => {
        const text = parts.join('')
        const readings = [text, withoutStandIns(text, 'i'), withoutStandIns(text, 'l')]
        for (const { rule, start, end } of new WordList(words).hits(text)) {
          assert.ok(readings.some((reading) => fold(reading.slice(start, end)) === fold(rule)))
        }
      }),
    )
  })

  it('agrees with a search for each word at each place', () => {
    const isLatin = (character: string | undefined): boolean => /^[a-z0-9]$/.test(character ?? '')
    fc.assert(
      fc.property(word, fc.array(letters), (rule, parts) => {
        const { characters } = folded(parts.join(''))
        const sought = folded(rule).characters
        const isThere = characters.some((_, at) => {
          const end = at + sought.length
          const isCut = (cut: number): boolean =>
            isLatin(characters[cut - 1]) && isLatin(characters[cut])
          return sought.every((each, k) => each === characters[at + k]) && !isCut(at) && !isCut(end)
        })
        // Zeros stand for no letter of these words.
        assert.equal(new WordList([rule]).hits(parts.join('')).length > 0, isThere)
      }),
    )
  })

  it('has hits apart and within the text, whatever it is', () => {
    const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), letters)
    fc.assert(
      fc.property(fc.array(texts), texts, (words, text) => {
        let last = 0
        for (const { start, end } of new WordList(words).hits(text)) {
          assert.ok(last <= start && start < end && end <= text.length)
          last = end
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('checkedWord', () => {
  it('tidies spaces', () => {
    assert.equal(checkedWord('  child   abuse '), 'child abuse')
  })

  for (const typed of ['血', 'AV女优', "don't", 'x-ray', '가', 'naïve']) {
    it(`takes ${typed}`, () => {
      assert.equal(checkedWord(typed), typed)
    })
  }

  for (const typed of ['', ' ', 'a', 'é', 'a$$', 'c++', '.*', '(a+)+', 'a, b', 'a'.repeat(61)]) {
    it(`refuses ${typed.slice(0, 8) || 'nothing'}`, () => {
      assert.equal(refusalOf(() => checkedWord(typed))[0], 'word-invalid')
    })
  }
})

describe('folded', () => {
  it('is the same when folded again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const once = folded(text).characters.join('')
        assert.equal(folded(once).characters.join(''), once)
      }),
    )
  })
})

describe('withoutStandIns', () => {
  it('keeps the length of every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), letters, (some, others) => {
        const text = some + others
        assert.equal(withoutStandIns(text, 'i').length, text.length)
      }),
    )
  })

  for (const text of ['1980s', '4k', 'b2b', 'a55', '$5', '3d', 'r2d2', '狐狸4只']) {
    it(`leaves ${text} alone`, () => {
      assert.equal(withoutStandIns(text, 'i'), text)
    })
  }
})

describe('simplifiedOf', () => {
  it('gives the simplified form, and other characters as they are', () => {
    assert.equal(Array.from('畫隻貓與龍在雪裡', simplifiedOf).join(''), '画只猫与龙在雪里')
  })
})
