/** How things stand, in words: what a member has left, who is served next and why, what waits. */
import type { Outlook } from '../../core/eta.ts'
import type { Lane } from '../../core/queued-job.ts'
import { waitFacts } from '../../core/wait.ts'
import { usageOf, type Share } from '../../jobs/usage.ts'
import { aliveDevices } from '../../store/devices.ts'
import { type ListedJob, openJobsOf } from '../../store/web-jobs.ts'
import type { Locale, Words } from '../i18n.ts'
import { cut, outlookSentences } from '../job-words.ts'
import type { ServedGuild, Services } from '../services.ts'
import type { Place, Visitor } from './place.ts'
import { speaker } from './refusal.ts'

/** How things stand for a member. */
export type Status = {
  /** In seconds of device time; `of` is null where there is no limit. */
  readonly quota: {
    readonly text: string
    readonly used: number
    readonly of: number | null
    readonly fraction: number
  }
  readonly queue: {
    /** First the one whose turn is next. */
    readonly served: readonly {
      readonly guildName: string
      readonly lane: Lane
      readonly weight: number
      readonly waitingJobs: number
      readonly runningJobs: number
      readonly isMine: boolean
    }[]
    readonly why: string
    /** A job that a device has is at position 0. */
    readonly mine: readonly {
      readonly job: string
      readonly text: string
      readonly position: number
    }[]
  }
  readonly devices: number
}

const mostOwnJobs = 20
const mostServed = 50
const promptLimit = 60

/** Looks how things stand. */
export async function statusOf(
  services: Services,
  place: Place,
  { guild, member }: Pick<Visitor, 'guild' | 'member'>,
  locale: Locale,
): Promise<Status> {
  const { database, now, servedNow, outlookOf } = services
  const say = speaker(locale)
  const nowMs = now()
  const usage = await usageOf(database, { guild, member }, nowMs)
  const devices = await aliveDevices(database, nowMs)
  const jobs = await openJobsOf(database, member, mostOwnJobs)
  const nameOf = (id: string): string => {
    const known = place.guilds.find((each) => idOf(each) === id)
    // Other platforms' guilds are nobody's business here.
    return known ? say(known.name) : say('web.elsewhere')
  }
  const served = servedNow().slice(0, mostServed)
  return {
    quota: quotaOf(tighter(usage.member, usage.guild), say),
    queue: {
      served: served.map(({ guild: id, lane, weight, waitingJobs, runningJobs }) => ({
        guildName: nameOf(id),
        lane,
        weight,
        waitingJobs,
        runningJobs,
        isMine: id === idOf(guild),
      })),
      why: whyOf(served, devices.length > 0, nameOf, say),
      mine: jobs.map((job) => jobLine(job, outlookOf(job.id, idOf(guild)), say)),
    },
    devices: devices.length,
  }
}

function idOf({ id }: { readonly id: string }): string {
  return `web:${id}`
}

/** Of two shares the one that is nearer its end. */
function tighter(one: Share | undefined, other: Share | undefined): Share | undefined {
  if (!one || !other) return one ?? other
  return one.left.fastMicros <= other.left.fastMicros ? one : other
}

function quotaOf(share: Share | undefined, say: Words): Status['quota'] {
  if (share === undefined) return { text: say('web.quota-none'), used: 0, of: null, fraction: 0 }
  const { quota, left } = share
  const [used, of] = [Math.ceil(left.usedMicros / 1e6), Math.round(quota.refillMicros / 1e6)]
  const { wait, unit } = waitFacts(left.fullInMs)
  const isOver = left.fastMicros === 0
  const text = isOver
    ? say('web.quota-over', { used, of, wait, unit })
    : say('web.quota', { used, of, wait, unit: used === 0 ? 'none' : unit })
  return { text, used, of, fraction: Math.min(1, left.usedMicros / quota.refillMicros) }
}

function whyOf(
  served: readonly ServedGuild[],
  hasDevice: boolean,
  nameOf: (guild: string) => string,
  say: Words,
): string {
  const waiting = served.filter(({ waitingJobs }) => waitingJobs > 0)
  const [next] = waiting
  if (!hasDevice) return say('web.why-no-device')
  if (!next) return say('web.why-idle')
  const { guild, weight, lane } = next
  if (lane === 'relax') return say('web.why-relaxed', { guild: nameOf(guild) })
  const others = new Set(waiting.map((each) => each.guild)).size - 1
  return say('web.why-turn', { guild: nameOf(guild), weight, others })
}

function jobLine(
  { id, prompt: whole, isHeld }: ListedJob,
  outlook: Outlook,
  say: Words,
): Status['queue']['mine'][number] {
  const prompt = cut(whole, promptLimit)
  if (isHeld) return { job: id, text: say('web.job-running', { prompt }), position: 0 }
  const { position } = outlook
  const sentences = [
    say('web.job-waiting', { prompt, position }),
    ...outlookSentences(say, outlook),
  ]
  return { job: id, text: sentences.join(' '), position }
}
