/** `quota`: what a member may still use, of how much, when it comes back, and which rule says so. */
import { type Command, action } from '../src/chat/command.ts'
import type { Words } from '../src/chat/i18n.ts'
import { privately } from '../src/chat/message.ts'
import { waitFacts } from '../src/core/wait.ts'
import { defaultPriceMicros } from '../src/jobs/default-price.ts'
import { type Share, usageOf } from '../src/jobs/usage.ts'

/** Shows the quota. */
export const quota: Command = {
  name: 'quota',
  actions: {
    '': action({
      verb: 'quota',
      options: {},
      run: async ({ say, guild, member, services, nowMs }) => {
        const usage = await usageOf(services.database, { guild, member }, nowMs)
        const card = await services.modelCard()
        const priceMicros = card && defaultPriceMicros(card.defaults)
        const lines = [
          ...(usage.member === undefined
            ? [say('quota.unlimited', { rule: usage.rule })]
            : [
                say('quota.rule', { rule: usage.rule, ...windowFacts(usage.member) }),
                ...shareSentences(say, usage.member, priceMicros),
              ]),
          ...(usage.guild === undefined
            ? []
            : [
                say('quota.guild', { ...windowFacts(usage.guild) }),
                ...shareSentences(say, usage.guild, priceMicros),
              ]),
          ...(usage.member === undefined && usage.guild === undefined ? [] : [say('quota.lanes')]),
        ]
        return privately({ text: lines.join('\n') })
      },
    }),
  },
}

function windowFacts({ quota: { refillMicros, windowMs } }: Share) {
  const { wait, unit } = waitFacts(windowMs)
  return { seconds: refillMicros / 1e6, window: wait, unit }
}

/** What is left, in device time and in pictures of the default size, and when all of it is back. */
function shareSentences(say: Words, { left }: Share, priceMicros: number | undefined): string[] {
  const { fastMicros, mostMicros, fullInMs } = left
  const { wait, unit } = waitFacts(fullInMs)
  const facts = { fastSeconds: fastMicros / 1e6, mostSeconds: mostMicros / 1e6 }
  const isPriced = priceMicros !== undefined
  return [
    say('quota.left', facts),
    ...(isPriced
      ? [
          say('quota.pictures', {
            fast: Math.floor(fastMicros / priceMicros),
            most: Math.floor(mostMicros / priceMicros),
          }),
        ]
      : []),
    fullInMs === 0 ? say('quota.full') : say('quota.full-in', { wait, unit }),
  ]
}
