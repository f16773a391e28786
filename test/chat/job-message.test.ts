/** Messages of jobs: they fit every platform, in both languages, whatever is asked for. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAction } from '../../src/chat/action.ts'
import { pictureButtons } from '../../src/chat/gallery-page.ts'
import { words } from '../../src/chat/i18n.ts'
import { type JobFacts, jobMessage } from '../../src/chat/job-message.ts'
import type { Button } from '../../src/chat/message.ts'
import { newSpec } from '../jobs/admission.ts'

const key = `${'0'.repeat(64)}.png`
const newFacts = (facts: Partial<JobFacts> = {}): JobFacts => ({
  id: '7k2mz0q9xa',
  state: 'done',
  spec: newSpec(),
  lane: 'fast',
  resultKeys: [key],
  ...facts,
})
const [english, chinese] = [words('en-US'), words('zh-CN')]

describe('jobMessage', () => {
  it('has at most five buttons in each of five rows, and each says something of ours', () => {
    const states = ['queued', 'dispatched', 'running', 'done', 'failed', 'cancelled'] as const
    const keys = fc.array(fc.constantFrom(key, ''), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(
        fc.constantFrom(...states),
        keys,
        fc.constantFrom(english, chinese),
        (state, resultKeys, say) => {
          const spec = newSpec({ count: resultKeys.length })
          const { buttons = [], text } = jobMessage(newFacts({ state, resultKeys, spec }), say)
          assert.ok(text !== '' && buttons.length <= 5)
          assert.ok(buttons.every((row) => row.length >= 1 && row.length <= 5))
          assert.ok(buttons.flat().every(({ action }) => parseAction(action) !== undefined))
          assert.ok(buttons.flat().every(({ label }) => label.length <= 20))
        },
      ),
    )
  })

  it('describes pictures in a thousand characters, whatever their words are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 4_000 }), (prompt) => {
        const { pictures } = jobMessage(newFacts({ spec: newSpec({ prompt }) }), english)
        const altText = pictures![0]!.altText
        assert.ok(altText.length <= 1_000 && altText.isWellFormed())
      }),
      { numRuns: 30 },
    )
  })

  for (const [locale, say, line] of [
    [
      'English',
      english,
      'AI-generated · seed 7 · 512x512 · 8 steps · 3.1 s · nano · job 7k2mz0q9xa',
    ],
    ['Chinese', chinese, 'AI 生成 · 种子 7 · 512x512 · 8 步 · 3.1 秒 · nano · 任务 7k2mz0q9xa'],
  ] as const) {
    it(`tells the facts in ${locale}`, () => {
      const { facts } = jobMessage(newFacts({ costMicros: 3_100_000, model: 'nano' }), say)
      assert.equal(facts, line)
    })
  }

  for (const [locale, say] of [
    ['English', english],
    ['Chinese', chinese],
  ] as const) {
    it(`calls its buttons as the gallery does, in ${locale}`, () => {
      const { id } = newFacts()
      const ofVerb = (buttons: readonly Button[]): Map<string, string> =>
        new Map(buttons.map(({ action, label }) => [action.split(':')[1]!, label]))
      const ofJob = ofVerb((jobMessage(newFacts(), say).buttons ?? []).flat())
      const ofGallery = ofVerb(pictureButtons(say, { job: id, picture: 1, isKept: false }))
      assert.deepEqual(
        [...ofGallery],
        [...ofGallery.keys()].map((verb) => [verb, ofJob.get(verb)]),
      )
    })
  }

  it('counts no single picture in Chinese', () => {
    const { text } = jobMessage(newFacts(), chinese)
    assert.doesNotMatch(text, /1/)
  })

  it('quotes what was asked for, not what a style made of it', () => {
    const spec = newSpec({ asked: 'a fox', prompt: 'a fox, ukiyo-e' })
    assert.equal(jobMessage(newFacts({ spec }), english).quote, 'a fox')
  })

  it('has no code in it for a failure that it knows no words for', () => {
    const error = { code: 'from-the-future', params: {} }
    const { text } = jobMessage(newFacts({ state: 'failed', error }), english)
    assert.match(text, /^I am sorry.*Something broke on my side\. Your quota/)
  })

  it('says that a job waits in the relaxed lane', () => {
    const { text } = jobMessage(newFacts({ state: 'queued', lane: 'relax' }), english)
    assert.match(text, /in the relaxed lane/)
  })

  it('says that it is stopping, with nothing to press', () => {
    const message = jobMessage(newFacts({ state: 'running', isStopping: true }), english)
    assert.deepEqual([message.text, message.buttons], ['Stopping …', undefined])
  })
})
