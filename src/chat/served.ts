/**
 * Who is served, in words. Other guilds are told by number only: which communities a bot serves is
 * nobody else's business.
 */
import type { Words } from './i18n.ts'
import type { ServedGuild } from './services.ts'

const mostShown = 5

/** Whose turn it is, in the order in which they come, and why; none when nobody waits. */
export function servedSentences(
  say: Words,
  served: readonly ServedGuild[],
  ownGuild: string,
): string[] {
  if (served.length === 0) return []
  let others = 0
  const names = served.map(({ guild }) => (guild === ownGuild ? 0 : ++others))
  const lines = served.slice(0, mostShown).map((each, index) =>
    say('served.guild', {
      whose: names[index] === 0 ? 'own' : 'other',
      number: names[index]!,
      lane: each.lane,
      weight: each.weight,
      waiting: each.waitingJobs,
      running: each.runningJobs,
    }),
  )
  const hidden = served.length - lines.length
  return [
    say('served.why'),
    ...lines,
    ...(hidden > 0 ? [say('served.hidden', { count: hidden })] : []),
  ]
}
