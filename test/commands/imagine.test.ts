/** `imagine`: what becomes of words, flags, options, preferences and styles. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { saveMember, saveSettings } from '../../src/store/guilds.ts'
import { setQuota } from '../../src/store/quota.ts'
import { refusalOf } from '../jobs/admission.ts'
import { asked, database, newContext, newPicture, next, nowMs, run } from './context.ts'

describe('imagine', () => {
  it('draws as the model does best where nothing is said', async () => {
    const { job } = await asked(await newContext(), 'imagine', { prompt: 'a red fox' })
    const { seed, ...spec } = job.spec
    assert.deepEqual(spec, {
      kind: 'imagine',
      prompt: 'a red fox',
      width: 256,
      height: 256,
      count: 1,
      evaluations: 8,
      guidance: 0,
      isRaw: false,
      isPrivate: false,
    })
    assert.ok(seed >= 0 && seed < 2 ** 32)
  })

  it('takes flags over options, and both over preferences', async () => {
    const context = await newContext()
    await saveMember(database, context.member, { defaults: { count: 2, shape: '3:2' } })
    const flagged = { prompt: 'a fox --seed 7 --ar 1:1', seed: 8, shape: '16:9' }
    const { job } = await asked(await next(context), 'imagine', flagged)
    const { seed, width, height, count } = job.spec
    assert.deepEqual([seed, width, height, count], [7, 256, 256, 2])
  })

  it('has a shape of the default area', async () => {
    const { job } = await asked(await newContext(), 'imagine', { prompt: 'a fox', shape: '16:9' })
    assert.deepEqual([job.spec.width, job.spec.height], [336, 192])
  })

  it('brings what nobody chose within the limits of the guild', async () => {
    const context = await newContext()
    await saveMember(database, context.member, { defaults: { count: 4 } })
    const settings = { ...context.guild.settings, mostPictures: 2, mostEvaluations: 4 }
    await saveSettings(database, context.guild, settings, nowMs)
    const { job } = await asked(await next(context), 'imagine', { prompt: 'a fox' })
    assert.deepEqual([job.spec.count, job.spec.evaluations], [2, 4])
  })

  for (const [prompt, style, styledPrompt] of [
    ['a fox', 'watercolor', /^a fox, watercolor painting/],
    ['a fox', '水彩', /^a fox, watercolor painting/],
    ['一只狐狸', 'Watercolor', /^一只狐狸，水彩画/],
  ] as const) {
    it(`finds the style ${style} for ${prompt} and keeps what was said`, async () => {
      const { job } = await asked(await newContext(), 'imagine', { prompt, style })
      assert.match(job.spec.prompt, styledPrompt)
      assert.deepEqual([job.spec.asked, job.spec.style], [prompt, 'watercolor'])
    })
  }

  it('prefers a style of the guild to a preset of that name', async () => {
    const context = await newContext()
    const data = { guildId: context.guild.row, name: 'sketch', prompt: 'chalk, {prompt}' }
    await database.style.create({ data })
    const { job } = await asked(context, 'imagine', { prompt: 'a fox --style sketch' })
    assert.equal(job.spec.prompt, 'chalk, a fox')
  })

  it('takes a raw prompt as it is, whatever style is usual', async () => {
    const context = await newContext()
    await saveMember(database, context.member, { defaults: { style: 'anime' } })
    const { job } = await asked(await next(context), 'imagine', { prompt: 'a fox --raw' })
    assert.deepEqual([job.spec.prompt, job.spec.style, job.spec.isRaw], ['a fox', undefined, true])
  })

  it('does without a usual style that is gone', async () => {
    const context = await newContext()
    await saveMember(database, context.member, { defaults: { style: 'gone' } })
    const { job } = await asked(await next(context), 'imagine', { prompt: 'a fox' })
    assert.equal(job.spec.prompt, 'a fox')
  })

  it('starts from an upload, at its size, without what the file said beside pixels', async () => {
    const context = await newContext()
    const image = {
      kind: 'upload',
      bytes: await newPicture(200, 100),
      fileName: 'fox.png',
      owner: context.asked.member,
    } as const
    const { job } = await asked(context, 'imagine', { prompt: 'a fox', image })
    const { width, height, strength, imageOwner } = job.spec
    assert.deepEqual([width, height, strength], [192, 96, 0.6])
    assert.equal(imageOwner, context.asked.member)
  })

  describe('answers', () => {
    it('with the place in line, the time and the reason', async () => {
      const { message, job } = await asked(await newContext(), 'imagine', { prompt: 'a fox' })
      assert.deepEqual(message.text.split('\n'), [
        `Queued as job ${job.id}: number 2 in line.`,
        'It probably begins in 5 to 18 seconds.',
        '3 pictures of this community go first.',
        '2 other communities are waiting too.',
      ])
    })

    it('in Chinese', async () => {
      const context = await newContext({ locale: 'zh-CN' })
      const { message, job } = await asked(context, 'imagine', { prompt: '狐狸' })
      assert.deepEqual(message.text.split('\n').slice(0, 2), [
        `已排队，任务 ${job.id}，第 2 位。`,
        '大约 5 到 18 秒后开始。',
      ])
    })

    it('with the seed to copy and a way to cancel', async () => {
      const { message, job } = await asked(await newContext(), 'imagine', { prompt: 'a fox' })
      assert.deepEqual(message.copy, [{ label: 'Seed', text: String(job.spec.seed) }])
      assert.equal(message.buttons?.[0]?.[0]?.action, `v1:cancel:${job.id}`)
    })

    it('that no device is there', async () => {
      const outlook = { position: 1, estimate: undefined, hasDevice: false }
      const context = await newContext({ services: { outlookOf: () => outlook } })
      const { text } = await run(context, 'imagine', { prompt: 'a fox' })
      assert.match(text, /No device is there/)
    })

    it('that it has gone to the relaxed lane, and when the fast one is free', async () => {
      const context = await newContext()
      const quota = { refillMicros: 300_000, windowMs: 86_400_000, hardCapMicros: 90_000_000 }
      await setQuota(database, context.guild, { scope: 'everyone' }, quota)
      await run(context, 'imagine', { prompt: 'a fox --n 2' })
      const { message, job } = await asked(await next(context), 'imagine', {
        prompt: 'a fox --n 2',
      })
      assert.equal(job.lane, 'relax')
      assert.match(message.text, /relaxed lane/)
    })

    it('the second time with the first job', async () => {
      const context = await newContext()
      const { job } = await asked(context, 'imagine', { prompt: 'a fox' })
      const { text } = await run(context, 'imagine', { prompt: 'a fox' })
      assert.ok(text.startsWith(`You have asked for this before: it is job ${job.id}.`), text)
    })

    it('that --no is not heard without guidance', async () => {
      const { text } = await run(await newContext(), 'imagine', { prompt: 'a fox --no snow' })
      assert.match(text, /\(--no\) has no effect/)
    })

    it('nothing of that with guidance', async () => {
      const prompt = 'a fox --no snow --guidance 3'
      const { text } = await run(await newContext(), 'imagine', { prompt })
      assert.doesNotMatch(text, /--no/)
    })
  })

  describe('refuses', () => {
    for (const [what, options, code] of [
      ['no words', { prompt: ' --seed 7' }, 'prompt-empty'],
      ['a flag that is none', { prompt: 'a fox --sede 7' }, 'flag-unknown'],
      ['a style that is none', { prompt: 'a fox', style: 'watercolour' }, 'style-unknown'],
      ['a size beyond the limits', { prompt: 'a fox --size 4096x4096' }, 'size-not-allowed'],
      ['more pictures than the guild allows', { prompt: 'a fox --n 8' }, 'job-too-large'],
    ] as const) {
      it(what, async () => {
        const attempt = run(await newContext(), 'imagine', options)
        assert.equal((await refusalOf(attempt)).code, code)
      })
    }

    it('while nobody knows the model', async () => {
      const context = await newContext({ services: { modelCard: async () => undefined } })
      const attempt = run(context, 'imagine', { prompt: 'a fox' })
      assert.equal((await refusalOf(attempt)).code, 'model-unknown')
    })
  })
})
