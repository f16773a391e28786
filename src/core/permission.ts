/**
 * Who may do what: one table. Each rank may do all that those below it may. It is asked on our side
 * at every action, whatever a chat platform has shown or hidden before.
 */
import { UserError } from './errors.ts'
import { waitFacts } from './wait.ts'

const ranks = ['blocked', 'member', 'moderator', 'operator'] as const

/** From least to most: blocked by a moderator, anybody, moderates this guild, runs the program. */
export type Rank = (typeof ranks)[number]

const leastRank = {
  // Being blocked takes nobody's data from them, nor the way back.
  help: 'blocked',
  quota: 'blocked',
  'privacy export': 'blocked',
  'privacy delete': 'blocked',
  appeal: 'blocked',

  imagine: 'member',
  edit: 'member',
  again: 'member',
  'queue own': 'member',
  'cancel own': 'member',
  gallery: 'member',
  favourite: 'member',
  info: 'member',
  'delete own': 'member',
  styles: 'member',
  settings: 'member',
  report: 'member',

  'queue all': 'moderator',
  'cancel any': 'moderator',
  'delete any': 'moderator',
  'studio quota': 'moderator',
  'studio pause': 'moderator',
  'studio queue': 'moderator',
  'studio clear': 'moderator',
  'studio block': 'moderator',
  'studio words': 'moderator',
  'studio channels': 'moderator',
  'studio styles': 'moderator',
  'studio settings': 'moderator',
  'studio moderator': 'moderator',
  'studio reports': 'moderator',
  'studio audit': 'moderator',

  // A guild's share of the devices is taken from the other guilds.
  'studio weight': 'operator',
} as const satisfies Record<string, Rank>

/** Everything that can be permitted. */
export type Verb = keyof typeof leastRank

/** Every verb with the rank that it takes, for whoever lists them. */
export const verbs: Readonly<Record<Verb, Rank>> = leastRank

/** What somebody is in a guild; operators cannot be blocked, moderators can. */
export function rankOf(person: {
  readonly isOperator: boolean
  readonly isModerator: boolean
  readonly isBlocked: boolean
}): Rank {
  if (person.isOperator) return 'operator'
  if (person.isBlocked) return 'blocked'
  return person.isModerator ? 'moderator' : 'member'
}

/** Whether somebody of that rank may do it. */
export function may(rank: Rank, verb: Verb): boolean {
  return ranks.indexOf(rank) >= ranks.indexOf(leastRank[verb])
}

/**
 * Insists on it; `blockedForMs` is how long a block lasts still, if it has an end.
 *
 * @throws {UserError} not-allowed, member-blocked, member-blocked-for
 */
export function checkMay(rank: Rank, verb: Verb, blockedForMs?: number): void {
  if (may(rank, verb)) return
  if (rank === 'blocked') {
    throw blockedForMs === undefined
      ? new UserError('member-blocked', {})
      : new UserError('member-blocked-for', waitFacts(blockedForMs))
  }
  throw new UserError('not-allowed', { verb, needed: leastRank[verb] })
}
