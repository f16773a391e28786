/** `studio words` and `studio styles`: both scripts, what is refused, how a change is taken back. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { stylesOf } from '../../src/store/styles.ts'
import { wordsOf } from '../../src/store/guilds.ts'
import { refusalOf } from '../jobs/admission.ts'
import { database, newContext, next, run } from './context.ts'
import { auditOf, newGuild } from './moderators.ts'

describe('studio words', () => {
  it('that are added refuse a wish at once, and can be taken off again', async () => {
    const { moderator, member } = await newGuild()
    const draw = async () => run(await next(member), 'imagine', { prompt: 'a red fox' })
    await run(moderator, 'studio words add', { word: ' Fox ' })
    assert.deepEqual((await refusalOf(draw())).params, { rule: 'Fox' })
    await run(moderator, 'studio words remove', { word: 'fox' })
    assert.match((await draw()).text, /\S/)
    assert.deepEqual(await auditOf(moderator), [
      ['word added', { word: 'Fox' }],
      ['prompt refused', { rule: 'Fox', kind: 'imagine' }],
      ['word removed', { word: 'Fox' }],
    ])
  })

  it('are listed by page', async () => {
    const { moderator } = await newGuild()
    const words = Array.from({ length: 60 }, (_, index) => `word${index}`)
    await database.word.createMany({
      data: words.map((word) => ({ guildId: moderator.guild.row, word })),
    })
    const { text, quote, buttons } = await run(moderator, 'studio words list', { page: 2 })
    assert.match(text, /^60 words are not drawn here, page 2 of 2:$/)
    assert.equal(quote?.split('\n').length, 10)
    assert.deepEqual(
      buttons?.flat().map(({ action }) => action),
      ['v1:words-page:1'],
    )
  })

  for (const [text, rules, excerpts] of [
    ['A FOX in a glass', ['fox'], ['A 【FOX】 in a glass']],
    ['画一只雪中的黑猫', ['黑貓'], ['画一只雪中的【黑猫】']],
    ['foxglove in the rain', [], []],
    ['ｆｏｘ和黑貓', ['fox', '黑貓'], ['【ｆｏｘ】和黑貓', 'ｆｏｘ和【黑貓】']],
  ] as const) {
    it(`are tested on ${text}`, async () => {
      const { moderator } = await newGuild()
      for (const word of ['fox', '黑貓']) await run(moderator, 'studio words add', { word })
      const { items = [] } = await run(moderator, 'studio words test', { text })
      assert.deepEqual(
        items.map((item) => [item.title, item.text]),
        rules.map((rule, index) => [`Rule “${rule}”`, excerpts[index]]),
      )
    })
  }

  it('are tested without a trace of the text', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio words add', { word: 'fox' })
    await run(moderator, 'studio words test', { text: 'a fox' })
    assert.deepEqual(await auditOf(moderator), [['word added', { word: 'fox' }]])
    assert.equal(await database.state.count({ where: { name: { startsWith: 'refusal/' } } }), 1)
  })

  it('are refused when folding would make more of them than they say', async () => {
    const { moderator } = await newGuild()
    const { code } = await refusalOf(run(moderator, 'studio words add', { word: 'a*b' }))
    assert.equal(code, 'word-invalid')
  })

  it('that are not on the list are guessed at', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio words add', { word: 'violence' })
    const removing = run(moderator, 'studio words remove', { word: 'violense' })
    assert.equal((await refusalOf(removing)).params.nearest, 'violence')
  })

  it('of another guild cannot be removed', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext({ rank: 'moderator' })]
    await run(other, 'studio words add', { word: 'fox' })
    const { code } = await refusalOf(run(moderator, 'studio words remove', { word: 'fox' }))
    assert.equal(code, 'word-unknown')
    assert.deepEqual(await wordsOf(database, other.guild), ['fox'])
  })

  it('are a thousand at most', async () => {
    const { moderator } = await newGuild()
    const guildId = moderator.guild.row
    const words = Array.from({ length: 1_000 }, (_, index) => ({ guildId, word: `word${index}` }))
    await database.word.createMany({ data: words })
    const { code } = await refusalOf(run(moderator, 'studio words add', { word: 'fox' }))
    assert.equal(code, 'words-full')
    assert.equal(await database.word.count({ where: { guildId } }), 1_000)
  })
})

describe('studio styles', () => {
  const ink = { style: 'Ink', template: 'ink drawing of {prompt}', avoid: 'colour' }

  it('that are added are the guild’s, and are audited with how they were', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio styles add', ink)
    const { quote } = await run(moderator, 'studio styles add', {
      ...ink,
      template: '{prompt}, ink',
    })
    assert.equal(quote, 'ink drawing of {prompt}')
    assert.deepEqual(await stylesOf(database, moderator.guild), [
      { name: 'ink', template: '{prompt}, ink', negativePrompt: 'colour' },
    ])
    assert.deepEqual(await auditOf(moderator), [
      ['style added', { style: 'ink', was: '', is: 'ink drawing of {prompt}' }],
      ['style added', { style: 'ink', was: 'ink drawing of {prompt}', is: '{prompt}, ink' }],
    ])
  })

  it('that are removed are told, so that they can be added again', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio styles add', ink)
    const { quote } = await run(moderator, 'studio styles remove', { style: 'INK' })
    assert.deepEqual([quote, await stylesOf(database, moderator.guild)], [ink.template, []])
  })

  for (const [what, options, code] of [
    ['without a place for words', { ...ink, template: 'ink' }, 'style-invalid'],
    ['with spaces in the name', { ...ink, style: 'my ink' }, 'style-invalid'],
  ] as const) {
    it(`${what} are refused`, async () => {
      const { moderator } = await newGuild()
      assert.equal((await refusalOf(run(moderator, 'studio styles add', options))).code, code)
    })
  }

  it('of another guild are unknown', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext({ rank: 'moderator' })]
    await run(other, 'studio styles add', ink)
    const { code } = await refusalOf(run(moderator, 'studio styles remove', { style: 'ink' }))
    assert.equal(code, 'style-unknown')
  })
})
