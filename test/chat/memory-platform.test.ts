/** The contract of adapters, on a platform in memory: it can be passed, and the notifier's tests stand on it. */
import { DeliveryError } from '../../src/chat/adapter.ts'
import type { Message } from '../../src/chat/message.ts'
import { newName } from '../jobs/admission.ts'
import { adapterContract } from './adapter-contract.ts'
import { MemoryPlatform } from './memory-platform.ts'

const wordsOf = ({ text, quote, progress, facts }: Message): string =>
  [text, quote, progress?.text, facts].filter(Boolean).join('\n')

adapterContract('a platform in memory', async () => {
  const platform = new MemoryPlatform()
  const { adapter } = platform
  return {
    adapter,
    member: 'bob',
    newPlace: async () => ({ channel: newName() }),
    seen: async (place, member) =>
      platform
        .channel(place)
        .messages.filter(({ visibleTo }) => visibleTo === undefined || visibleTo === member)
        .map(({ message }) => ({
          text: wordsOf(message),
          altTexts: message.pictures?.map(({ altText }) => altText) ?? [],
          labels: message.buttons?.flat().map(({ label }) => label) ?? [],
        })),
    deleteMessage: (place, shown) => adapter.remove(place, shown),
    closePlace: async (place) => {
      platform.channel(place).isClosed = true
    },
    refuseOnce: async (place, retryAfterMs) => {
      platform.channel(place).refusals.push(new DeliveryError('later', retryAfterMs))
    },
    newPicture: async (altText) => ({
      key: `${'0'.repeat(64)}.png`,
      width: 16,
      height: 16,
      altText,
      fileName: 'fox.png',
    }),
    close: async () => undefined,
  }
})
