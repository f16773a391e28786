/**
 * What every adapter must do, whatever its platform: one message a job, edited and never doubled;
 * made anew when somebody deleted it; failures that say whether to come back. A test file of an
 * adapter opens its platform and runs this.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Adapter, DeliveryError, type Showing } from '../../src/chat/adapter.ts'
import type { Message, ShownPicture } from '../../src/chat/message.ts'
import type { ReplyTo } from '../../src/store/jobs.ts'
import { newJobId } from '../jobs/admission.ts'

/** A message as people see it on the platform. */
export type SeenMessage = {
  /** All of its words, in their order. */
  readonly text: string
  /** Of each picture. */
  readonly altTexts: readonly string[]
  /** Of each button. */
  readonly labels: readonly string[]
}

/** A platform with an adapter on it, and hands to do there what people and outages do. */
export type Stage = {
  readonly adapter: Adapter
  /** A new place where a member can be answered. */
  readonly newPlace: () => Promise<ReplyTo>
  /** The adapter's messages at a place, oldest first, as this member sees them; none: any other. */
  readonly seen: (place: ReplyTo, member?: string) => Promise<readonly SeenMessage[]>
  /** Somebody deletes a message. */
  readonly deleteMessage: (place: ReplyTo, shown: ReplyTo) => Promise<void>
  /** The place is gone: its channel was deleted, the bot was thrown out. */
  readonly closePlace: (place: ReplyTo) => Promise<void>
  /** The platform refuses the next call, for so long. */
  readonly refuseOnce: (place: ReplyTo, retryAfterMs: number) => Promise<void>
  /** A picture that is stored. */
  readonly newPicture: (altText: string) => Promise<ShownPicture>
  /** The id of somebody who can see `newPlace`s. */
  readonly member: string
  readonly close: () => Promise<void>
}

/** Runs the contract on a platform. */
export function adapterContract(name: string, open: () => Promise<Stage>): void {
  describe(`the adapter of ${name}`, () => {
    let stage: Stage
    before(async () => {
      stage = await open()
    })
    after(() => stage.close())

    const action = `v1:again:${newJobId()}`
    const waiting: Message = {
      text: 'Next in line.',
      quote: 'a red fox',
      buttons: [[{ label: 'Cancel', action, style: 'danger' }]],
    }
    const showing = (facts: Partial<Showing> = {}): Showing => ({
      nonce: newJobId(),
      shown: undefined,
      isFinal: false,
      visibleTo: undefined,
      signal: AbortSignal.timeout(10_000),
      ...facts,
    })
    const failureOf = async (attempt: Promise<unknown>): Promise<DeliveryError> => {
      const error: unknown = await attempt.then(
        () => undefined,
        (error: unknown) => error,
      )
      assert.ok(error instanceof DeliveryError, `expected a DeliveryError, got ${String(error)}`)
      return error
    }

    it('shows a message with its words and buttons', async () => {
      const place = await stage.newPlace()
      await stage.adapter.show(place, waiting, showing())
      const [message, ...others] = await stage.seen(place)
      assert.equal(others.length, 0)
      assert.match(message!.text, /Next in line\.[^]*a red fox/)
      assert.deepEqual(message!.labels, ['Cancel'])
    })

    it('edits it where it is', async () => {
      const place = await stage.newPlace()
      const { nonce } = showing()
      const first = await stage.adapter.show(place, waiting, showing({ nonce }))
      const progress = { done: 3, of: 8, text: 'Step 3 of 8' }
      const step = { ...waiting, text: 'Drawing.', progress }
      await stage.adapter.show(place, step, showing({ nonce, shown: first }))
      const seen = await stage.seen(place)
      assert.equal(seen.length, 1)
      assert.match(seen[0]!.text, /Drawing\.[^]*Step 3 of 8/)
    })

    it('ends it with pictures and their descriptions', async () => {
      const place = await stage.newPlace()
      const { nonce } = showing()
      const first = await stage.adapter.show(place, waiting, showing({ nonce }))
      const pictures = [await stage.newPicture('a red fox'), await stage.newPicture('a blue fox')]
      const final = { text: 'Here you are.', pictures, facts: 'seed 42' }
      await stage.adapter.show(place, final, showing({ nonce, shown: first, isFinal: true }))
      const seen = await stage.seen(place)
      assert.deepEqual(
        seen.flatMap(({ altTexts }) => altTexts),
        ['a red fox', 'a blue fox'],
      )
      const text = seen.map((each) => each.text).join('\n')
      assert.match(text, /Here you are\.[^]*seed 42/)
      assert.doesNotMatch(text, /Next in line/)
    })

    it('does not show the same nonce twice, were it forgotten that it was shown', async () => {
      const place = await stage.newPlace()
      const { nonce } = showing()
      await stage.adapter.show(place, waiting, showing({ nonce }))
      await stage.adapter.show(place, waiting, showing({ nonce }))
      assert.equal((await stage.seen(place)).length, 1)
    })

    it('makes it anew when it was deleted', async () => {
      const place = await stage.newPlace()
      const { nonce } = showing()
      const first = await stage.adapter.show(place, waiting, showing({ nonce }))
      await stage.deleteMessage(place, first)
      const text = 'Here you are.'
      const shown = await stage.adapter.show(place, { text }, showing({ nonce, shown: first }))
      assert.deepEqual((await stage.seen(place)).length, 1)
      await stage.adapter.show(place, { text: 'Still here.' }, showing({ nonce, shown }))
      const seen = await stage.seen(place)
      assert.deepEqual([seen.length, seen[0]?.text.includes('Still here.')], [1, true])
    })

    it('shows a private message to its member alone', async () => {
      const place = await stage.newPlace()
      await stage.adapter.show(place, waiting, showing({ visibleTo: stage.member }))
      assert.deepEqual(
        [(await stage.seen(place)).length, (await stage.seen(place, stage.member)).length],
        [0, 1],
      )
    })

    it('shows what looks like markup or a mention as it was written', async () => {
      const place = await stage.newPlace()
      const quote = 'a *bold* <b>fox</b> says @everyone & <@42>'
      await stage.adapter.show(place, { text: 'Next in line.', quote }, showing())
      const [message] = await stage.seen(place)
      assert.ok(message?.text.includes(quote), message?.text)
    })

    it('says that a place is gone', async () => {
      const place = await stage.newPlace()
      await stage.closePlace(place)
      const error = await failureOf(stage.adapter.show(place, waiting, showing()))
      assert.equal(error.kind, 'gone')
    })

    it('says when to come back, and has shown nothing', async () => {
      const place = await stage.newPlace()
      await stage.refuseOnce(place, 1_500)
      const { nonce } = showing()
      const error = await failureOf(stage.adapter.show(place, waiting, showing({ nonce })))
      assert.deepEqual([error.kind, error.retryAfterMs >= 1_500], ['later', true])
      assert.equal((await stage.seen(place)).length, 0)
      await stage.adapter.show(place, waiting, showing({ nonce }))
      assert.equal((await stage.seen(place)).length, 1)
    })

    it('takes a message away, and does not mind that it is gone', async () => {
      const place = await stage.newPlace()
      const shown = await stage.adapter.show(place, waiting, showing())
      await stage.adapter.remove(place, shown)
      assert.equal((await stage.seen(place)).length, 0)
      await stage.adapter.remove(place, shown)
    })
  })
}
