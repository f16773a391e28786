/**
 * A witness inside the database: triggers that write down every end of a job, every delivery and
 * every message that is made for one, in the transaction in which it happens. So what happened twice
 * is seen even if the rows look the same afterwards and whatever was killed in between.
 */
import { z } from 'zod'
import type { Database } from '../../src/store/prisma.ts'
import { atLeast, type Figure, none } from './part.ts'

const statements = [
  'CREATE SCHEMA soak',
  'CREATE TABLE soak.seen (job text NOT NULL, what text NOT NULL)',
  `CREATE FUNCTION soak.see_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     IF OLD.settled_at IS DISTINCT FROM NEW.settled_at THEN
       INSERT INTO soak.seen VALUES (NEW.id, 'ended');
     END IF;
     IF OLD.delivered_at IS DISTINCT FROM NEW.delivered_at THEN
       INSERT INTO soak.seen VALUES (NEW.id, 'delivered');
     END IF;
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER soak_see AFTER UPDATE ON jobs
     FOR EACH ROW EXECUTE FUNCTION soak.see_job()`,
  `CREATE FUNCTION soak.see_message() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     INSERT INTO soak.seen VALUES (substr(NEW.nonce, 5), 'shown');
     RETURN NULL;
   END $$`,
  `CREATE TRIGGER soak_see AFTER INSERT ON web_messages
     FOR EACH ROW WHEN (NEW.nonce LIKE 'job/%') EXECUTE FUNCTION soak.see_message()`,
]

/** Begins to write down what happens. */
export async function watchRows(database: Database): Promise<void> {
  for (const statement of statements) await database.$executeRawUnsafe(statement)
}

/** A job as far as its fate goes. */
export type Fated = {
  readonly id: string
  readonly state: string
  readonly isDelivered: boolean
  readonly invocationId: string
}

/** All jobs of the playground, oldest first. */
export async function fatedJobs(database: Database): Promise<Fated[]> {
  const rows = await database.job.findMany({
    orderBy: { createdAt: 'asc' },
    select: { id: true, state: true, settledAt: true, deliveredAt: true, invocationId: true },
  })
  return rows.map(({ id, state, deliveredAt, invocationId }) => ({
    id,
    state,
    isDelivered: deliveredAt !== null,
    invocationId: invocationId ?? '',
  }))
}

const content = z.object({ pictures: z.array(z.unknown()).exactOptional() })

/** Whether everything that was asked for and accepted has ended, and was told, once. */
export async function fates(database: Database, accepted: ReadonlySet<string>): Promise<Figure[]> {
  const jobs = await fatedJobs(database)
  const known = new Set(jobs.map(({ invocationId }) => invocationId))
  const seen = await database.$queryRaw<{ job: string; what: string; count: number }[]>`
    SELECT job, what, count(*)::int AS count FROM soak.seen GROUP BY job, what`
  const counts = new Map(seen.map(({ job, what, count }) => [`${what} ${job}`, count]))
  const notOnce = (what: string): string[] =>
    jobs.filter(({ id }) => counts.get(`${what} ${id}`) !== 1).map(({ id }) => id)
  const messages = await database.webMessage.findMany({
    where: { nonce: { startsWith: 'job/' } },
    select: { nonce: true, content: true },
  })
  const shown = Map.groupBy(messages, ({ nonce }) => nonce?.slice('job/'.length) ?? '')
  const isWellShown = ({ id, state }: Fated): boolean => {
    const [message, ...others] = shown.get(id) ?? []
    const pictures = content.safeParse(message?.content).data?.pictures ?? []
    return (
      message !== undefined && others.length === 0 && (state === 'done') === pictures.length > 0
    )
  }
  const isEnded = ({ state }: Fated): boolean => ['done', 'failed', 'cancelled'].includes(state)
  return [
    atLeast('accepted jobs', jobs.length, 1),
    none(
      'accepted, but not stored',
      [...accepted].filter((id) => !known.has(id)),
    ),
    none('jobs not done, failed or cancelled', idsOf(jobs.filter((job) => !isEnded(job)))),
    none('jobs that did not end exactly once', notOnce('ended')),
    none('jobs not delivered exactly once', notOnce('delivered')),
    none('jobs without exactly one message made', notOnce('shown')),
    none('jobs whose message is not their end', idsOf(jobs.filter((job) => !isWellShown(job)))),
  ]
}

function idsOf(jobs: readonly Fated[]): string[] {
  return jobs.map(({ id }) => id)
}

/** Whether the money adds up: job by job, in all, and in the balances of whoever pays. */
export async function accounts(database: Database): Promise<Figure[]> {
  const jobs = await database.job.findMany({
    select: { id: true, state: true, costMicros: true, charges: true, ledgerEntries: true },
  })
  const sum = (rows: readonly { readonly micros: bigint }[]): bigint =>
    rows.reduce((total, { micros }) => total + micros, 0n)
  const wrong = jobs.filter(({ charges, ledgerEntries }) => sum(ledgerEntries) !== -sum(charges))
  const kinds = { done: ['reservation', 'settlement'], other: ['reservation', 'refund'] }
  const torn = jobs.filter(({ state, costMicros, charges, ledgerEntries }) => {
    const isDone = state === 'done'
    const expected = isDone ? kinds.done : kinds.other
    const entered = ledgerEntries.toSorted((a, b) => Number(a.id - b.id)).map(({ kind }) => kind)
    const isCharged = isDone ? charges.length === 1 && sum(charges) === costMicros : true
    return String(entered) !== String(expected) || !isCharged
  })
  const entries = await database.ledgerEntry.findMany()
  const charges = await database.charge.findMany()
  const balances = await database.balance.findMany()
  const unbalanced = balances.filter(({ guildId, memberId, micros }) => {
    const own = entries.filter((entry) =>
      memberId === null ? entry.guildId === guildId : entry.memberId === memberId,
    )
    return sum(own) !== micros
  })
  const offMicros = sum(entries) + sum(charges)
  return [
    none(
      'jobs whose ledger is not minus their charges',
      wrong.map(({ id }) => id),
    ),
    none(
      'jobs with wrong entries or charges',
      torn.map(({ id }) => id),
    ),
    none('ledger beside charges in all', offMicros === 0n ? [] : [`${offMicros} us`]),
    none(
      'balances that are not their ledger',
      unbalanced.map(({ id }) => String(id)),
    ),
    atLeast('balances', balances.length, 1),
  ]
}
