/**
 * Wishes that a word list has refused, kept for whoever may want to appeal: one a member, the last
 * one, for seven days, in a row of `states`. Nobody reads it but the appeal of that same member, by
 * which they show it to the moderators; then it is a report, and forgotten here.
 */
import { z } from 'zod'
import type { JobSpec } from '../core/job-spec.ts'
import type { StoredMember } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'
import { forgetState, readState, writeState } from './states.ts'

/** What was refused, and by which rule. */
export type Refusal = {
  /** What an appeal calls it. */
  readonly id: number
  readonly rule: string
  /** All that was asked for, so that it can be drawn when an appeal is upheld. */
  readonly spec: JobSpec
  readonly atMs: number
}

/** How long a refused prompt is kept. */
export const refusalKeptMs = 7 * 86_400_000

const prefix = 'refusal/'
/** Ids of one member's refusals: the number of the member's row and one of so many. */
const idsOfMember = 1_000

const schema: z.ZodType<Refusal> = z.object({
  id: z.number(),
  rule: z.string(),
  // What we wrote ourselves, in a shape that the type checker kept.
  spec: z.custom<JobSpec>((json) => typeof json === 'object' && json !== null),
  atMs: z.number(),
})

/**
 * Keeps a refused prompt in place of the member's last one, and forgets those of everybody that are
 * too old.
 *
 * @returns its id: at most 12 digits, and another one than that of the last
 */
export async function keepRefusal(
  database: Database | Transaction,
  refused: {
    readonly member: Pick<StoredMember, 'row'>
    readonly rule: string
    readonly spec: JobSpec
    readonly nowMs: number
  },
): Promise<number> {
  const { member, rule, spec, nowMs } = refused
  const last = (await readState(database, nameOf(member), schema))?.value.id ?? -1
  const id = member.row * idsOfMember + ((last + 1) % idsOfMember)
  await writeState(database, nameOf(member), {
    id,
    rule,
    spec,
    atMs: nowMs,
  })
  await database.state.deleteMany({
    where: {
      name: { startsWith: prefix },
      value: { path: ['atMs'], lt: nowMs - refusalKeptMs },
    },
  })
  return id
}

/** The member's last refusal; with an id only if it has that one. */
export async function refusalOf(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  facts: { readonly id?: number; readonly nowMs: number },
): Promise<Refusal | undefined> {
  const refusal = (await readState(database, nameOf(member), schema))?.value
  if (refusal === undefined || facts.nowMs - refusal.atMs > refusalKeptMs) return undefined
  return facts.id === undefined || facts.id === refusal.id ? refusal : undefined
}

/** Forgets what is kept of a member, who has appealed or wants nothing kept. */
export async function forgetRefusal(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
): Promise<void> {
  await forgetState(database, nameOf(member))
}

function nameOf({ row }: Pick<StoredMember, 'row'>): string {
  return `${prefix}${row}`
}
