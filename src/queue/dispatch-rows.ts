/**
 * What pg-boss' API cannot say, said in SQL on its job table: beat and read the cancel flag at once,
 * cancel whatever state the row is in, hand a lease back without counting a retry. Each is a single
 * statement, fenced by state and retry count as pg-boss' own are. Our dispatches are known by their
 * policy `exclusive`; the schema is pg-boss 12.38's, whose version is pinned.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { Claim } from './lease.ts'
import type { Sql } from './transaction.ts'

/** A dispatch that has not ended, as the leader finds it when it starts. */
export type LiveDispatch = {
  readonly jobId: string
  /** Of its lease, or of the next one when it is not held. */
  readonly attempt: number
  readonly deviceClass: string
  readonly isHeld: boolean
}

/** Queues of dispatches are called this and the device class. */
export const dispatchPrefix = 'dispatch.'

const isAttempt = `name = $1 AND id = $2::uuid AND state = 'active' AND retry_count = $3::int`
const isLive = `policy = 'exclusive' AND state <= 'active'`

/** Keeps a lease alive. */
export async function beat(sql: Sql, claim: Claim): Promise<'held' | 'cancelled' | 'lost'> {
  const { rows } = await sql.executeSql(
    `UPDATE pgboss.job SET heartbeat_on = pgboss.job_now() WHERE ${isAttempt}
     RETURNING (data ->> 'cancelled') IS NOT NULL AS cancelled`,
    [claim.name, claim.id, claim.retryCount],
  )
  if (rows.length === 0) return 'lost'
  return z.object({ cancelled: z.boolean() }).parse(rows[0]).cancelled ? 'cancelled' : 'held'
}

/**
 * Hands a lease back: next in line, with a new attempt number (the fence) and one retry more, so
 * that it cost none. Careful: pg-boss' own `restore` keeps the number, and the fence with it.
 *
 * @returns whether it was still held
 */
export async function handBack(sql: Sql, claim: Claim): Promise<boolean> {
  const { rows } = await sql.executeSql(
    `UPDATE pgboss.job SET state = 'retry', retry_limit = retry_limit + 1, heartbeat_on = NULL
     WHERE ${isAttempt} RETURNING id::text`,
    [claim.name, claim.id, claim.retryCount],
  )
  return rows.length === 1
}

/**
 * Takes a waiting dispatch out of its queue, or flags a held one for its holder, now or after a
 * redelivery: only the holder knows what it cost so far.
 */
export async function cancelDispatch(
  sql: Sql,
  jobId: string,
): Promise<'removed' | 'requested' | 'absent'> {
  const cancel = (): Promise<{ rows: unknown[] }> =>
    sql.executeSql(
      `UPDATE pgboss.job SET
         data = data || '{"cancelled": true}',
         completed_on = CASE WHEN state < 'active' THEN pgboss.job_now() END,
         state = CASE WHEN state < 'active' THEN 'cancelled'::pgboss.job_state ELSE state END
       WHERE ${isLive} AND singleton_key = $1
       RETURNING state::text`,
      [jobId],
    )
  let { rows } = await cancel()
  // Careful: a retry deletes the row and inserts it again, so a statement that waited for it sees none.
  if (rows.length === 0) ({ rows } = await cancel())
  if (rows.length === 0) return 'absent'
  const { state } = z.object({ state: z.string() }).parse(rows[0])
  return state === 'cancelled' ? 'removed' : 'requested'
}

/**
 * Takes a dispatch that nobody holds out of its queue.
 *
 * @returns whether there was one
 */
export async function withdrawDispatch(sql: Sql, jobId: string): Promise<boolean> {
  const { rows } = await sql.executeSql(
    `UPDATE pgboss.job SET state = 'cancelled', completed_on = pgboss.job_now()
     WHERE policy = 'exclusive' AND state < 'active' AND singleton_key = $1
     RETURNING id::text`,
    [jobId],
  )
  return rows.length > 0
}

/** A dispatch that was withdrawn is looked for among so many attempts before. */
const attemptsBack = 16

/**
 * How many retries a job still has by its last dispatch to these devices, if that one was withdrawn
 * after the devices had been lost under it: to be dispatched anew gives it no more of them.
 */
export async function retriesLeft(
  sql: Sql,
  name: string,
  { jobId, attempt }: { readonly jobId: string; readonly attempt: number },
): Promise<number | undefined> {
  if (attempt === 1) return undefined
  const first = Math.max(1, attempt - attemptsBack)
  const earlier = Array.from({ length: attempt - first }, (_, k) => attemptId(jobId, first + k))
  // Careful: pg-boss counts a retry when it is fetched, so one that waits for that is not counted.
  const { rows } = await sql.executeSql(
    `SELECT greatest(0, retry_limit - retry_count - (started_on IS NOT NULL)::int) AS left
     FROM pgboss.job WHERE name = $1 AND id = ANY($2::uuid[]) AND state = 'cancelled'
     ORDER BY created_on DESC LIMIT 1`,
    [name, earlier],
  )
  return rows.length === 0 ? undefined : z.object({ left: z.number() }).parse(rows[0]).left
}

/** A UUID of a job's attempt: as the row's key it lets each attempt into the queue once. */
export function attemptId(jobId: string, attempt: number): string {
  const hex = createHash('sha256').update(`${jobId} ${attempt}`).digest('hex')
  // Version 8, "whatever the vendor likes" (RFC 9562).
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const liveRow = z.object({
  name: z.string(),
  job: z.string(),
  attempt: z.number(),
  held: z.boolean(),
})

/** All dispatches that have not ended, oldest first. */
export async function liveDispatches(sql: Sql): Promise<LiveDispatch[]> {
  const { rows } = await sql.executeSql(
    `SELECT name, singleton_key AS job, state = 'active' AS held,
       (data ->> 'attempt')::int + retry_count + (state = 'retry')::int AS attempt
     FROM pgboss.job WHERE ${isLive} ORDER BY created_on`,
  )
  return rows.map((row) => {
    const { name, job, attempt, held } = liveRow.parse(row)
    const deviceClass = name.slice(dispatchPrefix.length)
    return { jobId: job, attempt, deviceClass, isHeld: held }
  })
}

/** Jobs whose dispatch was lost with every retry, which the leader has not failed yet. */
export async function lostJobs(sql: Sql, lostQueue: string): Promise<string[]> {
  const { rows } = await sql.executeSql(
    `SELECT data ->> 'jobId' AS job FROM pgboss.job WHERE name = $1 AND state <= 'active'`,
    [lostQueue],
  )
  return rows.map((row) => z.object({ job: z.string() }).parse(row).job)
}

const claimRow = z.object({ name: z.string(), id: z.string(), retryCount: z.number() })

/** Every lease that anybody holds. */
export async function activeClaims(sql: Sql, lostQueue: string): Promise<Claim[]> {
  const { rows } = await sql.executeSql(
    `SELECT name, id::text, retry_count AS "retryCount" FROM pgboss.job
     WHERE state = 'active' AND (policy = 'exclusive' OR name = $1)`,
    [lostQueue],
  )
  return rows.map((row) => claimRow.parse(row))
}
