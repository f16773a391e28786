/** `settings`, `styles`, `quota` and `help`: what they say, and what they change. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setQuota } from '../../src/store/quota.ts'
import { refusalOf } from '../jobs/admission.ts'
import { asked, database, newContext, next, run } from './context.ts'

describe('settings', () => {
  it('shows all of them, and the guild’s, when nothing is given', async () => {
    const { text } = await run(await newContext(), 'settings')
    assert.deepEqual(text.split('\n'), [
      'Your settings:',
      'Language: automatic (this community: English)',
      'Shape: as the model likes',
      'Pictures at once: 1',
      'Style: none',
      'Others may edit the pictures that you upload: no',
      'In this community: at most 4 pictures at once, 2,048 pixels a side, 10 jobs a minute; ' +
        'pictures are kept 30 days.',
    ])
  })

  it('changes what is given, leaves the rest, and answers in the new language', async () => {
    const context = await newContext()
    await run(context, 'settings', { shape: '16:9', count: 2, consent: true })
    const { text } = await run(await next(context), 'settings', {
      language: 'zh-CN',
      style: '水彩',
    })
    assert.deepEqual(text.split('\n').slice(0, 6), [
      '已保存。你的设置：',
      '语言：简体中文（本社区：English）',
      '画幅：16:9',
      '一次张数：2',
      '风格：watercolor',
      '允许别人修改你上传的图片：是',
    ])
  })

  it('takes back what was set', async () => {
    const context = await newContext()
    await run(context, 'settings', { language: 'zh-CN', shape: '16:9', style: 'sketch' })
    const given = { language: 'auto', shape: 'auto', style: 'none' }
    const { text } = await run(await next(context), 'settings', given)
    assert.match(text, /Language: automatic.*\nShape: as the model likes\n.*\nStyle: none/)
  })

  it('is what later jobs begin with', async () => {
    const context = await newContext()
    await run(context, 'settings', { shape: '9:16', count: 3, style: 'ink-wash' })
    const { job } = await asked(await next(context), 'imagine', { prompt: 'a fox' })
    const { width, height, count, style } = job.spec
    assert.deepEqual([width, height, count, style], [192, 336, 3, 'ink-wash'])
  })

  it('refuses a style that is none', async () => {
    const attempt = run(await newContext(), 'settings', { style: 'sketsh' })
    assert.deepEqual(await refusalOf(attempt), {
      code: 'style-unknown',
      params: { style: 'sketsh', nearest: 'sketch' },
    })
  })
})

describe('styles', () => {
  it('lists the guild’s own, then the presets that they do not hide, with an example each', async () => {
    const context = await newContext({ locale: 'zh-CN' })
    const data = { guildId: context.guild.row, name: 'sketch', prompt: 'chalk, {prompt}' }
    await database.style.create({ data })
    const { items } = await run(context, 'styles')
    assert.equal(items?.length, 12)
    assert.deepEqual(items?.[0], {
      title: 'sketch',
      text: '“chalk, 一只红狐狸”，写法：一只红狐狸 --style sketch',
    })
    assert.equal(items?.[3]?.title, '水彩')
  })
})

describe('quota', () => {
  it('tells what is left, in seconds and pictures, and which rule gave it', async () => {
    const { text } = await run(await newContext(), 'quota')
    const [rule, left, pictures, full] = text.split('\n')
    assert.equal(rule, 'Your quota is 300 s of device time in 24 hours (what everyone has).')
    assert.equal(left, 'Left: 300 s in the fast lane, 900 s in all.')
    assert.match(pictures ?? '', /^That is about [\d,]+ pictures of the usual size/)
    assert.equal(full, 'Nothing is in use.')
  })

  it('tells less of it when a job waits, and when all is back', async () => {
    const context = await newContext()
    const quota = { refillMicros: 10_000_000, windowMs: 86_400_000, hardCapMicros: 20_000_000 }
    await setQuota(database, context.guild, { scope: 'member', id: context.asked.member }, quota)
    await run(context, 'imagine', { prompt: 'a fox --n 4' })
    const { text } = await run(await next(context), 'quota')
    assert.match(text, /10 s of device time in 24 hours \(set for you\)/)
    assert.match(text, /Left: 9\.\d s in the fast lane, 19\.\d s in all\./)
    assert.match(text, /all of it is back in/)
  })

  it('tells of no limit', async () => {
    const context = await newContext()
    await setQuota(database, context.guild, { scope: 'everyone' }, null)
    const { text } = await run(context, 'quota')
    assert.equal(text, 'You have no limit here (set for everyone).')
  })

  it('tells seconds alone while nobody knows the model', async () => {
    const services = { modelCard: async () => undefined }
    const { text } = await run(await newContext({ services }), 'quota')
    assert.doesNotMatch(text, /usual size/)
  })
})

describe('help', () => {
  for (const [locale, first] of [
    ['en-US', '/imagine a red fox in the snow'],
    ['zh-CN', '/画图 雪地里的一只红狐狸'],
  ] as const) {
    it(`has six examples to copy in ${locale}`, async () => {
      const { copy } = await run(await newContext({ locale }), 'help')
      assert.equal(copy?.length, 6)
      assert.equal(copy?.[0]?.text, first)
    })
  }
})
