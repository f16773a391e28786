/**
 * How many jobs may be asked for in a minute, by one member and by one guild: for each a bucket that
 * holds a minute's worth and fills evenly. It lives in this process and guards it against bursts;
 * what people may use altogether is the quotas' business, which all processes share.
 */
import Bottleneck from 'bottleneck'
import { UserError } from '../core/errors.ts'
import { waitFacts } from '../core/wait.ts'

/** Who asks, by names that are unique over all platforms, and how often they may in a minute. */
export type Asking = {
  readonly guild: string
  readonly member: string
  readonly memberPerMinute: number
  readonly guildPerMinute: number
}

const minuteMs = 60_000
/** How often Bottleneck looks whether to fill a bucket; times of filling are multiples of it. */
const lookMs = 1_000

/** The buckets of everyone who has asked lately. */
export class RateLimit {
  /** One for each rate; each forgets a bucket some time after it must be full again. */
  readonly #groups = new Map<number, Bottleneck.Group>()

  /**
   * Takes one job's place in both buckets, or none.
   *
   * @throws {UserError} member-rate-limited, guild-rate-limited, with when to come back
   */
  async take({ guild, member, memberPerMinute, guildPerMinute }: Asking): Promise<void> {
    const ofMember = this.#bucket(`${guild}/${member}`, memberPerMinute)
    if (!(await hasRoom(ofMember))) {
      const facts = { most: memberPerMinute, ...waitFacts(waitMs(memberPerMinute)) }
      throw new UserError('member-rate-limited', facts)
    }
    if (!(await hasRoom(this.#bucket(guild, guildPerMinute)))) {
      await ofMember.incrementReservoir(1)
      const facts = { most: guildPerMinute, ...waitFacts(waitMs(guildPerMinute)) }
      throw new UserError('guild-rate-limited', facts)
    }
  }

  /** Forgets everyone. */
  async close(): Promise<void> {
    const limiters = [...this.#groups.values()].flatMap((group) => group.limiters())
    await Promise.all(limiters.map(async ({ limiter }) => limiter.disconnect()))
    this.#groups.clear()
  }

  #bucket(name: string, perMinute: number): Bottleneck {
    const known = this.#groups.get(perMinute)
    const group = known ?? newGroup(perMinute)
    if (!known) this.#groups.set(perMinute, group)
    return group.key(name)
  }
}

function newGroup(perMinute: number): Bottleneck.Group {
  return new Bottleneck.Group({
    reservoir: perMinute,
    reservoirIncreaseInterval: fillMs(perMinute),
    // At least 1, so that whoever waits for the next filling finds a place.
    reservoirIncreaseAmount: (perMinute * fillMs(perMinute)) / minuteMs,
    reservoirIncreaseMaximum: perMinute,
    heartbeatInterval: lookMs,
    highWater: 0,
    strategy: Bottleneck.strategy.OVERFLOW,
    timeout: 2 * minuteMs,
  })
}

/** How long a bucket of this rate takes for the next place. */
function fillMs(perMinute: number): number {
  return Math.ceil(minuteMs / perMinute / lookMs) * lookMs
}

/** When there is a place for certain: a filling may be looked for one moment too early. */
function waitMs(perMinute: number): number {
  return fillMs(perMinute) + lookMs
}

/** Takes a place if there is one; nobody waits in here. */
async function hasRoom(bucket: Bottleneck): Promise<boolean> {
  try {
    await bucket.schedule(() => Promise.resolve())
    return true
  } catch (error) {
    if (error instanceof Bottleneck.BottleneckError) return false
    throw error
  }
}
