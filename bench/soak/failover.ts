/**
 * Two bots and two workers on one Postgres, by its URL. The bot that leads is killed, the other one
 * has to lead, and a new one comes beside it; again and again, while there are always jobs that wait
 * for whoever leads. Who leads is what the database says: which connection has the leaders' lock.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'
import { closeDatabase, type Database, openDatabase } from '../../src/store/prisma.ts'
import { median } from '../report.ts'
import { Guests, raiseCaps } from './guests.ts'
import { House, type HouseProcess } from './house.ts'
import { atMost, type Figure, type Part, told } from './part.ts'
import { until } from './processes.ts'
import { accounts, fatedJobs, fates, watchRows } from './witness.ts'

const withinSeconds = 10
const waitingAtLeast = 24

/** The leader dies, the other one leads. */
export const failover: Part = {
  name: 'failover',
  what: 'kill -9 of the leader: two bots, two workers, one Postgres by its URL',
  run: async ({ isQuick }, say) => {
    const folder = mkdtempSync(join(tmpdir(), 'zimagine-soak-'))
    chmodSync(folder, 0o711) // As root, the database runs as another user.
    const postgres = await EmbeddedPostgres.start({ dataFolder: folder })
    const house = new House({ DATABASE_URL: postgres.url })
    try {
      return await killLeaders(house, postgres.url, isQuick ? 2 : 6, say)
    } finally {
      await house.close()
      await postgres.close()
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

async function killLeaders(
  house: House,
  databaseUrl: string,
  times: number,
  say: (line: string) => void,
): Promise<Figure[]> {
  const guests = new Guests()
  let leader = await house.start('bot')
  const database = openDatabase(databaseUrl)
  try {
    await watchRows(database)
    await raiseCaps(database)
    await until('the first bot leads', () => leaderOf(database))
    let other = await house.start('bot')
    await house.start('worker')
    await house.start('worker')
    const leads: number[] = []
    const dispatches: number[] = []
    for (let k = 0; k < times; k++) {
      await fill(database, guests, other)
      await until('jobs are drawn', async () =>
        (await fatedJobs(database)).some(({ state }) => state === 'running'),
      )
      const before = await leaderOf(database)
      await leader.kill()
      const killedAt = new Date()
      const secondsSince = (ms: number): number => (ms - killedAt.getTime()) / 1000
      await until('the other one leads', async () => {
        const now = await leaderOf(database)
        return now !== undefined && now !== before
      })
      leads.push(secondsSince(Date.now()))
      const firstMs = await until('the other one dispatches', async () => {
        const { _min } = await database.job.aggregate({
          where: { dispatchedAt: { gt: killedAt } },
          _min: { dispatchedAt: true },
        })
        return _min.dispatchedAt?.getTime()
      })
      dispatches.push(secondsSince(firstMs))
      say(
        `the other bot leads after ${leads.at(-1)!.toFixed(1)} s, ` +
          `and hands out a job after ${dispatches.at(-1)!.toFixed(1)} s`,
      )
      leader = other
      other = await house.start('bot')
    }
    await until('everything is delivered', async () =>
      (await fatedJobs(database)).every(({ isDelivered }) => isDelivered),
    )
    const again = await database.job.count({ where: { attempt: { gt: 1 } } })
    return [
      atMost(`another one leads, worst of ${times}, s`, Math.max(...leads), withinSeconds),
      told('another one leads, median, s', median(leads)),
      atMost(`first job handed out, worst of ${times}, s`, Math.max(...dispatches), withinSeconds),
      told('first job handed out, median, s', median(dispatches)),
      told('jobs that began more than once', again),
      ...(await fates(database, guests.accepted)),
      ...(await accounts(database)),
    ]
  } finally {
    await closeDatabase(database)
  }
}

/** Has so many jobs waiting that there are some left for the next leader. */
async function fill(database: Database, guests: Guests, bot: HouseProcess): Promise<void> {
  const waiting = await database.job.count({ where: { state: 'queued' } })
  const missing = Math.max(0, waitingAtLeast - waiting)
  const ask = (): Promise<boolean> => guests.ask(bot.url, '--size 128x128 --steps 8')
  await Promise.all(Array.from({ length: missing }, ask))
}

/** The connection that has the lock of `scheduler/leader.ts`. */
async function leaderOf(database: Database): Promise<number | undefined> {
  const [row] = await database.$queryRaw<{ pid: number }[]>`
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
      AND (classid::bigint << 32) + objid::bigint = ${0x7a696d6167696e65n}`
  return row?.pid
}
