/** Which jobs are still to be told of, read in parts, on a real Postgres. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { undeliveredJobs } from '../../src/store/deliveries.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newSpec } from '../jobs/admission.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))

describe('undeliveredJobs', () => {
  it('names each job whose last message is not there: ended ones first, of both the oldest', async () => {
    const guild = await ensureGuild(database, { platform: 'web', platformId: 'fox-den' })
    const member = await ensureMember(database, guild, { id: 'mei', roleIds: [] })
    // Many are of the same moment; every third has ended, every sixth of all is delivered.
    await database.$executeRaw`
      INSERT INTO jobs (id, guild_id, member_id, kind, spec, seed, estimate_micros, reply_to,
        created_at, state, cost_micros, settled_at, delivered_at)
      SELECT lpad(k::text, 10, '0'), ${guild.row}::int, ${member.row}::int, 'imagine',
        ${JSON.stringify(newSpec())}::jsonb, 7, 1, '{}', to_timestamp(1000 - k / 200),
        (CASE WHEN k % 3 = 0 THEN 'done' ELSE 'queued' END)::job_state,
        CASE WHEN k % 3 = 0 THEN 1 END, CASE WHEN k % 3 = 0 THEN now() END,
        CASE WHEN k % 6 = 0 THEN now() END
      FROM generate_series(1, 3000) k`
    const numbers = Array.from({ length: 3000 }, (_, k) => k + 1)
    const moment = (k: number): number => 1000 - Math.floor(k / 200)
    const inOrder = (some: number[]): number[] =>
      some.toSorted((one, other) => moment(one) - moment(other) || one - other)
    const ended = inOrder(numbers.filter((k) => k % 6 === 3))
    const waiting = inOrder(numbers.filter((k) => k % 3 !== 0))

    const parts = await Array.fromAsync(undeliveredJobs(database))

    assert.ok(parts.every((ids) => ids.length <= 500))
    assert.equal(parts.flat().map(Number).join(), [...ended, ...waiting].join())
  })
})
