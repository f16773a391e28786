/**
 * A thousand guilds with twenty jobs each, all of them there in one moment: what that does to the
 * process that leads, which is a real bot with its dispatcher, notifier and page. The jobs are
 * written as rows with their events in one transaction, which no admission could do as fast, and
 * drawn by takers without a model; their messages are shown in the playground.
 */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobSpec } from '../../src/core/job-spec.ts'
import { findEmbedded } from '../../src/store/postgres.ts'
import {
  closeDatabase,
  type Database,
  inTransaction,
  openDatabase,
} from '../../src/store/prisma.ts'
import { overhead } from '../fairness/overhead.ts'
import { median } from '../report.ts'
import { House, type HouseProcess } from './house.ts'
import { type Blockage, blockage } from './loop-probe.ts'
import { atLeast, atMost, type Figure, type Part, told } from './part.ts'
import { memoryOf, until } from './processes.ts'
import { Takers } from './takers.ts'

const probe = fileURLToPath(new URL('loop-probe.ts', import.meta.url))
const jobsOfGuild = 20
const devices = 4
const mostBlockedMs = 50
/** A bot that does nothing has about 200. */
const mostMebi = 768
/** Targets N of the queue's own cost: 5 us with 10^4 jobs, 20 with 10^6, so this with 2 * 10^4. */
const decision = { p50Micros: 6.2, p99Micros: 100 }
/** Where the messages are shown. */
const replyTo = { guild: 'fox-den', channel: 'pictures', member: 'mei', locale: 'en-US' }
const spec: JobSpec = {
  kind: 'imagine',
  prompt: 'a red fox in the snow',
  width: 512,
  height: 512,
  seed: 7,
  count: 1,
  evaluations: 8,
  guidance: 0,
  isRaw: false,
  isPrivate: false,
}

/** Everybody at once. */
export const storm: Part = {
  name: 'storm',
  what: '20 jobs of each of 1000 guilds in one moment, four takers without a model, a real bot',
  run: async ({ isQuick }, say) => {
    const guilds = isQuick ? 100 : 1_000
    const halfMs = isQuick ? 3_000 : 30_000
    const house = new House()
    const figures: Figure[] = []
    const judge = (when: string, { waitedMs, workedMs }: Blockage): void => {
      say(
        `${when}: at work for ${workedMs.toFixed(1)} ms at most, waited ${waitedMs.toFixed(1)} ms`,
      )
      figures.push(atMost(`event loop blocked ${when}, ms`, workedMs, mostBlockedMs))
    }
    try {
      const met = await house.start('bot', [probe])
      const quietBytes = memoryOf(met.pid).nowBytes
      await withTakers(house, async (takers, database) => {
        await found(database, guilds)
        judge('before it', await blockageOf(met, () => sleep(2_000)))
        const coming = async (): Promise<void> => {
          await ask(database)
          await until('the first one is drawn', () => takers.taken > 0)
          await sleep(halfMs)
        }
        judge('as it comes', await blockageOf(met, coming))
        const taken = takers.taken
        judge('while it is drawn', await blockageOf(met, () => sleep(halfMs)))
        const left = await waiting(database)
        figures.push(
          told('jobs drawn in a second', (takers.taken - taken) / (halfMs / 1_000)),
          atLeast('jobs that wait in the end', left, (guilds * jobsOfGuild) / 4),
        )
      })
      const mostBytes = memoryOf(met.pid).mostBytes
      await met.stop()
      const next = await house.start('bot', [probe])
      const again = async (): Promise<void> => {
        await withTakers(house, (takers) =>
          until('one is drawn', () => takers.taken > 0).then(() => sleep(5_000)),
        )
      }
      judge('of a bot that starts with it', await blockageOf(next, again))
      const mostAgainBytes = memoryOf(next.pid).mostBytes
      figures.push(
        told('resident memory before it, MiB', inMebi(quietBytes)),
        atMost('resident memory, at most, MiB', inMebi(mostBytes), mostMebi),
        atMost('that of the bot that starts with it, MiB', inMebi(mostAgainBytes), mostMebi),
      )
    } finally {
      await house.close()
    }
    return [...figures, ...ownCost(guilds)]
  },
}

/** What the queue itself costs with so much in it, once nobody else is at work. */
function ownCost(guilds: number): Figure[] {
  const measured = Array.from({ length: 5 }, (_, k) =>
    overhead(k, { jobs: guilds * jobsOfGuild, guilds }),
  )
  const middle = (column: number): number => median(measured.map((row) => row[column]!))
  return [
    atMost('enqueue + dispatch + settle, p50, us', middle(0), decision.p50Micros),
    atMost('enqueue + dispatch + settle, p99, us', middle(1), decision.p99Micros),
    told('bytes a job in the queue', middle(2)),
  ]
}

/** Has takers while something is done. */
async function withTakers(
  house: House,
  work: (takers: Takers, database: Database) => Promise<void>,
): Promise<void> {
  const url = await findEmbedded(house.folder)
  if (url === undefined) throw new Error('internal: no database runs in the house')
  const database = openDatabase(url)
  try {
    const takers = await Takers.open(database, url, devices)
    try {
      await work(takers, database)
    } finally {
      await takers.close()
    }
  } finally {
    await closeDatabase(database)
  }
}

/** Guilds with a member each; the chat that they are in is the playground, which shows their jobs. */
async function found(database: Database, guilds: number): Promise<void> {
  await database.$executeRaw`
    INSERT INTO guilds (platform, platform_id)
    SELECT 'web', 'storm-' || k FROM generate_series(1, ${guilds}::int) k`
  await database.$executeRaw`
    INSERT INTO members (guild_id, platform_id)
    SELECT id, 'only' FROM guilds WHERE platform_id LIKE 'storm-%'`
}

/** All of them ask for all they want. */
async function ask(database: Database): Promise<void> {
  await inTransaction(database, async (transaction) => {
    await transaction.$executeRaw`
      INSERT INTO jobs
        (id, guild_id, member_id, kind, spec, seed, lane, estimate_micros, reply_to, created_at)
      SELECT lpad((m.id * ${jobsOfGuild}::int + k)::text, 10, '0'), m.guild_id, m.id, 'imagine',
        ${JSON.stringify(spec)}::jsonb, 7, 'fast', 400000, ${JSON.stringify(replyTo)}::jsonb,
        now() + k * interval '1 ms'
      FROM members m JOIN guilds g ON g.id = m.guild_id, generate_series(1, ${jobsOfGuild}::int) k
      WHERE g.platform_id LIKE 'storm-%'`
    await transaction.$executeRaw`
      SELECT pg_notify('zimagine_event', json_build_object('type', 'queued', 'jobId', id)::text)
      FROM jobs ORDER BY created_at, id`
  })
}

function waiting(database: Database): Promise<number> {
  return database.job.count({ where: { state: 'queued' } })
}

/** The longest time that a process has blocked its loop while something was done. */
async function blockageOf({ child }: HouseProcess, work: () => Promise<void>): Promise<Blockage> {
  const asked = async (): Promise<Blockage> => {
    const answer = once(child, 'message')
    child.send('blockage')
    const [message]: unknown[] = await answer
    return blockage.parse(message)
  }
  await asked()
  await work()
  return asked()
}

function inMebi(bytes: number): number {
  return bytes / 2 ** 20
}
