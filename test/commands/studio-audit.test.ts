/** `studio audit`: every action has a sentence in every language, with its facts in it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { type Telling, toldOf } from '../../commands/studio/audit.ts'
import { catalogues, type Locale, words } from '../../src/chat/i18n.ts'
import { auditFacts } from '../../src/core/audit.ts'
import { audit } from '../../src/store/guilds.ts'
import { database, newContext, next, nowMs, run } from './context.ts'
import { newGuild } from './moderators.ts'

const locales = Object.keys(catalogues) as Locale[]
const telling = (locale: Locale): Telling => ({
  say: words(locale),
  nameOf: (id) => `name of ${id}`,
  picture: { size: '256x256', micros: 1_000_000 },
})
const quota = '40000000/86400000/120000000'

describe('a sentence of the audit log', () => {
  for (const [action, names] of Object.entries(auditFacts)) {
    it(`tells of “${action}” in every language, with its facts`, () => {
      const facts = Object.fromEntries(
        names.map((name) => [name, action === 'quota set' ? quota : `fact-${name}`]),
      )
      const numbers = ['wasSeconds', 'hours', 'pictures', 'jobs']
      for (const name of numbers) if (name in facts) facts[name] = '7'
      for (const locale of locales) {
        const sentence = toldOf(telling(locale), { action, facts })
        assert.match(sentence, locale === 'zh-CN' ? /\p{Script=Han}/u : /[.a-z]$/, locale)
        assert.ok(!sentence.includes('version') && !sentence.includes('此版本'), sentence)
        // Choices are told in words of their own.
        const choices = new Set(['kind', 'subject', 'id', 'setting'])
        for (const name of names.filter((each) => !choices.has(each))) {
          if (['channel set', 'member blocked', 'quota set', 'setting set'].includes(action)) break
          assert.ok(sentence.includes(String(facts[name])), `${locale} ${action}: ${name}`)
        }
      }
    })
  }

  it('tells quotas as amounts before and after, and members by name', () => {
    const facts = { subject: 'member', id: '42', was: 'none', is: quota }
    assert.equal(
      toldOf(telling('en-US'), { action: 'quota set', facts }),
      'Set the quota. name of 42: 40 seconds of device time a day, about 40 pictures of 256x256; ' +
        'more goes to the relaxed lane, up to 120 seconds. Before: no limit.',
    )
  })

  it('tells settings by their names and values in words', () => {
    const facts = { setting: 'hasPreviews', was: 'yes', is: 'no' }
    assert.equal(
      toldOf(telling('zh-CN'), { action: 'setting set', facts }),
      '把“显示绘制过程”设为 否，之前是 是。',
    )
  })

  it('is there for whatever another version has written', () => {
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (action, facts) =>
        locales.every((locale) => toldOf(telling(locale), { action, facts }).trim() !== ''),
      ),
    )
  })
})

describe('studio audit', () => {
  it('shows ten entries a page, the newest first, with who and when', async () => {
    const { moderator, member } = await newGuild()
    for (let entry = 1; entry <= 12; entry += 1) {
      await audit(database, {
        guild: moderator.guild,
        member: member.member,
        action: 'word added',
        facts: { word: `word${entry}` },
        nowMs: nowMs + entry,
      })
    }
    const first = await run(moderator, 'studio audit')
    const second = await run(moderator, 'studio audit', { page: 2 })
    assert.match(first.items?.[0]?.title ?? '', /^Jan 1, 2026, 12:00.AM UTC · Ann$/)
    assert.deepEqual(
      [first.items?.length, first.items?.[0]?.text, second.items?.at(-1)?.text],
      [
        10,
        'Added the word “word12” to those that are not drawn.',
        'Added the word “word1” to those that are not drawn.',
      ],
    )
    assert.deepEqual(
      [first, second].map(({ buttons }) => buttons?.flat().map(({ action }) => action)),
      [['v1:audit-page:2'], ['v1:audit-page:1']],
    )
  })

  it('shows nothing of another guild', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio pause')
    const other = await newContext({ rank: 'moderator' })
    const { text, items } = await run(other, 'studio audit')
    assert.deepEqual([text, items], ['Nothing has been written down yet.', []])
  })

  it('speaks the reader’s language, whatever was spoken then', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio pause', { reason: 'night' })
    const { items } = await run(await next(moderator, { locale: 'zh-CN' }), 'studio audit')
    assert.equal(items?.[0]?.text, '暂停了画图。原因：“night”。')
  })
})
