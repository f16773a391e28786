/**
 * The catalogues: the same keys and arguments in every locale, a sentence for every code and
 * setting, and sentences that can be said whichever branch of theirs is taken.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { IntlMessageFormat } from 'intl-messageformat'
import {
  type Locale,
  type MessageKey,
  catalogues,
  errorSentence,
  localeFor,
  words,
} from '../../src/chat/i18n.ts'
import { variableNames } from '../../src/config.ts'
import { UserError, errorFacts } from '../../src/core/errors.ts'

const locales = Object.keys(catalogues) as Locale[]
const keys = Object.keys(catalogues['en-US']) as MessageKey[]

type Element = ReturnType<IntlMessageFormat['getAst']>[number]

/** Argument names of a sentence, each with the values that its branches name. */
function argumentsOf(locale: Locale, key: MessageKey): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  const walk = (elements: readonly Element[]): void => {
    for (const element of elements) {
      const { type }: { readonly type: number } = element
      if (type === 0 || !('value' in element)) continue // 0: plain text
      const branches = found.get(element.value) ?? new Set()
      found.set(element.value, branches)
      if (!('options' in element)) continue
      for (const [branch, { value }] of Object.entries(element.options)) {
        branches.add(branch)
        walk(value)
      }
    }
  }
  const text = catalogues[locale][key]
  walk(new IntlMessageFormat(text, locale, {}, { ignoreTag: true }).getAst())
  return found
}

/** Every way of filling a sentence: all branches of all its choices; numbers elsewhere. */
function fillings(choices: Map<string, Set<string>>): Record<string, string | number>[] {
  let found: Record<string, string | number>[] = [{}]
  for (const [name, branches] of choices) {
    const values = [...branches].map((branch) => (branch.startsWith('=') ? 1 : branch))
    found = found.flatMap((filling) =>
      (values.length === 0 || values.includes(1) ? [1, 2] : values).map((value) => ({
        ...filling,
        [name]: value,
      })),
    )
  }
  return found
}

/** Every field that the engine may find wrong in what is asked for. */
const specFields =
  'prompt negativePrompt text width height size seed count evaluations guidance ' +
  'guidanceNormalization guidanceTruncation strength'

const names = (locale: Locale, key: MessageKey): string[] => [...argumentsOf(locale, key).keys()]

describe('catalogues', () => {
  it('have the same keys in the same order', () => {
    for (const locale of locales) assert.deepEqual(Object.keys(catalogues[locale]), keys)
  })

  it('have the same arguments in each sentence', () => {
    for (const key of keys) {
      for (const locale of locales) {
        assert.deepEqual(names(locale, key).toSorted(), names('en-US', key).toSorted(), key)
      }
    }
  })

  it('offer the same choices in each sentence', () => {
    for (const key of keys) {
      for (const locale of locales) {
        // Plural forms differ by language; the values of a select do not.
        const choices = (of: Locale): string[] =>
          [...argumentsOf(of, key)].flatMap(([name, branches]) =>
            [...branches]
              .filter((branch) => !/^(?:=|one$|other$)/.test(branch))
              .map((b) => `${name} ${b}`),
          )
        assert.deepEqual(choices(locale).toSorted(), choices('en-US').toSorted(), key)
      }
    }
  })

  it('can be said in every branch, leaving no argument unsaid', () => {
    for (const locale of locales) {
      const say = words(locale)
      for (const key of keys) {
        for (const filling of fillings(argumentsOf(locale, key))) {
          const sentence = say(key, filling)
          assert.ok(
            sentence.trim() !== '' && !/[{}]/.test(sentence),
            `${locale} ${key}: ${sentence}`,
          )
        }
      }
    }
  })

  it('use Chinese punctuation between Chinese characters', () => {
    for (const key of keys) {
      assert.doesNotMatch(
        catalogues['zh-CN'][key],
        /\p{Script=Han}(?:[,;:!?]|\.(?!\w))|[,;:!?]\p{Script=Han}/u,
        key,
      )
    }
  })
})

describe('error sentences', () => {
  const codes = Object.keys(errorFacts)
  const sentenceKeys = keys.filter((key) => key.startsWith('errors.'))

  it('exist for every code, and for nothing else', () => {
    assert.deepEqual(sentenceKeys.toSorted(), codes.map((code) => `errors.${code}`).toSorted())
  })

  it('use no fact that their code does not have', () => {
    for (const key of sentenceKeys) {
      const facts = errorFacts[key.slice('errors.'.length)] ?? []
      assert.deepEqual(
        names('en-US', key).filter((name) => !facts.includes(name)),
        [],
        key,
      )
    }
  })

  it('are whole sentences', () => {
    for (const key of sentenceKeys) {
      for (const locale of locales) {
        for (const filling of fillings(argumentsOf(locale, key))) {
          assert.match(words(locale)(key, filling), /[.。"]$|npm start$/, key)
        }
      }
    }
  })

  it('name every field of a wish in words of their own', () => {
    const params = { expected: 'a number', got: 'this' }
    for (const locale of locales) {
      const say = words(locale)
      const anyOther = say('errors.spec-invalid', { field: 'FIELD', ...params })
      for (const field of specFields.split(' ')) {
        const sentence = say('errors.spec-invalid', { field, ...params })
        assert.notEqual(sentence, anyOther.replace('FIELD', field), `${locale} ${field}`)
        assert.doesNotMatch(sentence, /a number/, `${locale} ${field}`)
      }
    }
  })

  it('carry their facts', () => {
    const error = new UserError('port-taken', { host: 'localhost', port: 7860 })

    assert.match(errorSentence(words('en-US'), error), /^Port 7860 on localhost is in use/)
    assert.match(errorSentence(words('zh-CN'), error), /^localhost 的端口 7860 已被占用/)
  })
})

describe('settings', () => {
  it('have a rule with an example each, in every locale', () => {
    for (const variable of variableNames) {
      for (const locale of locales) {
        const sentence = words(locale)(`config.${variable}`, { got: 'this' })
        assert.match(sentence, new RegExp(`^${variable}\\b.*this.*${variable}=\\S`))
      }
    }
  })
})

describe('words', () => {
  it('chooses between one and many', () => {
    const facts = { seed: 7, seconds: '1.0' }

    assert.equal(
      words('en-US')('cli.saved', { count: 1, files: 'a.png', ...facts }),
      'Saved a.png (seed 7, 1.0 s)',
    )
    assert.match(words('en-US')('cli.saved', { count: 2, files: 'a, b', ...facts }), /2 pictures/)
  })

  for (const error of [
    new UserError('not-allowed', { verb: 'queue all', needed: 'moderator' }),
    new UserError('setting-invalid', {
      setting: 'memberQueued',
      least: 1,
      most: 9,
      got: 10,
      nearest: 9,
    }),
    new UserError('job-unknown', { job: '7' }),
  ]) {
    it(`says ${error.code} in Chinese without a name that only our code has`, () => {
      assert.doesNotMatch(errorSentence(words('zh-CN'), error), /[a-z]/i)
    })
  }

  it('says why a job failed without what its message says of it already', () => {
    const told = (['device-lost', 'drawing-failed', 'image-missing'] as const).map((code) =>
      errorSentence(words('en-US'), new UserError(code, {})),
    )
    assert.doesNotMatch(told.join(' '), /sorry|charged/i)
  })

  it('says long numbers such as seeds without separators', () => {
    const say = words('en-US')

    assert.match(say('cli.drawing', { count: 1, seed: 4294967295 }), /seed 4294967295/)
  })
})

describe('localeFor', () => {
  for (const [tags, locale] of [
    [undefined, 'en-US'],
    ['', 'en-US'],
    ['C.UTF-8', 'en-US'],
    ['en_GB.UTF-8', 'en-US'],
    ['zh_CN.UTF-8', 'zh-CN'],
    ['zh_TW', 'zh-CN'],
    ['zh-Hant-HK', 'zh-CN'],
    ['ZH', 'zh-CN'],
    ['de-DE,de;q=0.9,zh;q=0.5,en;q=0.4', 'zh-CN'],
    ['en;q=0.4, zh-CN;q=0.9', 'zh-CN'],
    ['zh;q=0, en', 'en-US'],
    ['fr, de;q=0.5', 'en-US'],
    ['*', 'en-US'],
  ] as const) {
    it(`serves ${tags ?? 'nobody in particular'} in ${locale}`, () => {
      assert.equal(localeFor(tags), locale)
    })
  }

  it('has an answer to every header', () => {
    fc.assert(fc.property(fc.string(), (tags) => locales.includes(localeFor(tags))))
  })
})
