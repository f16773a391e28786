/** What one picture costs as the model draws it by default, for telling people what a quota is. */
import type { ModelDefaults } from '../core/wish.ts'
import { priceMicros } from './submit.ts'

/** A prompt of usual length, which costs a little itself. */
const usualPrompt = 'a'.repeat(100)

/** Of one picture, in whole microseconds of the reference device. */
export function defaultPriceMicros(defaults: ModelDefaults): number {
  return priceMicros({
    ...defaults,
    kind: 'imagine',
    prompt: usualPrompt,
    seed: 0,
    count: 1,
    isRaw: true,
    isPrivate: false,
  })
}
