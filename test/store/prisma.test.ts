/**
 * The client on a real server, and what the database itself refuses, whichever program writes.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { closeDatabase, inTransaction, isDuplicate, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from './database.ts'

const url = await newDatabase()
const database = openDatabase(url)
after(() => closeDatabase(database))

let made = 0
const unique = (): string => `${(made += 1)}`

async function newMember() {
  const guild = await database.guild.create({ data: { platform: 'web', platformId: unique() } })
  const member = await database.member.create({ data: { guildId: guild.id, platformId: 'ann' } })
  return { guild, member }
}

function jobId(): string {
  return unique().padStart(10, '0')
}

async function newJob() {
  const { guild, member } = await newMember()
  const data = {
    id: jobId(),
    guildId: guild.id,
    memberId: member.id,
    kind: 'imagine',
    spec: { prompt: 'a fox' },
    seed: 42n,
    estimateMicros: 1_000_000n,
    replyTo: {},
  } as const
  return { guild, member, data, job: await database.job.create({ data }) }
}

const refuses = (what: RegExp) => (error: unknown) => what.test(String(error))

describe('the client', () => {
  it('gives back what it stored', async () => {
    const { job, data } = await newJob()
    const found = await database.job.findUniqueOrThrow({ where: { id: job.id } })

    assert.deepEqual(found, job)
    assert.deepEqual([found.seed, found.spec, found.state], [42n, data.spec, 'queued'])
  })

  it('stores bytes of a preview', async () => {
    const { job } = await newJob()
    const bytes = Uint8Array.from({ length: 256 }, (_, k) => k)
    const data = { step: 1, evaluations: 8, contentType: 'image/webp', bytes }
    await database.preview.create({ data: { jobId: job.id, ...data } })
    const found = await database.preview.findUniqueOrThrow({ where: { jobId: job.id } })

    assert.ok(Buffer.from(found.bytes).equals(bytes))
  })

  it('connects again after the server ended its connections', async () => {
    const other = openDatabase(url, 1)
    await database.$queryRaw`SELECT 1`
    await other.$queryRaw`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`
    await closeDatabase(other)
    await setTimeout(50) // Until the pool has heard of it; a query under way would be refused.

    assert.deepEqual(await database.$queryRaw`SELECT 1 AS one`, [{ one: 1 }])
  })

  it('knows a duplicate', async () => {
    const { data } = await newJob()
    const error = await database.job.create({ data }).catch((error: unknown) => error)

    assert.ok(isDuplicate(error))
    assert.equal(isDuplicate(new Error('other')), false)
  })
})

describe('inTransaction', () => {
  it('keeps nothing of work that fails', async () => {
    const platformId = unique()
    const work = inTransaction(database, async (transaction) => {
      await transaction.guild.create({ data: { platform: 'web', platformId } })
      throw new Error('changed my mind')
    })

    await assert.rejects(work, /changed my mind/)
    assert.equal(await database.guild.count({ where: { platformId } }), 0)
  })

  it('runs again what a deadlock ended', async () => {
    const one = await newMember()
    const other = await newMember()
    let runs = 0
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const cross = (mine: number, first: number, second: number) =>
      inTransaction(database, async (transaction) => {
        runs += 1
        const increment = { data: { weight: { increment: 1 } } }
        await transaction.guild.update({ where: { id: first }, ...increment })
        gates[mine]!.resolve()
        await gates[1 - mine]!.promise // Each holds one row before either asks for the other.
        await transaction.guild.update({ where: { id: second }, ...increment })
      })
    await Promise.all([
      cross(0, one.guild.id, other.guild.id),
      cross(1, other.guild.id, one.guild.id),
    ])
    const weights = await database.guild.findMany({
      where: { id: { in: [one.guild.id, other.guild.id] } },
      select: { weight: true },
    })

    assert.deepEqual(weights, [{ weight: 3 }, { weight: 3 }])
    assert.equal(runs, 3)
  })
})

describe('the database', () => {
  it('charges a job once for each kind', async () => {
    const { job, guild } = await newJob()
    const data = { jobId: job.id, guildId: guild.id, micros: 5n, device: 'cpu' }
    await database.charge.create({ data })
    await database.charge.create({ data: { ...data, kind: 'enhancement' } })

    await assert.rejects(database.charge.create({ data }), isDuplicate)
  })

  it('changes no charge, ledger entry or audit entry', async () => {
    const { job, guild } = await newJob()
    const row = { jobId: job.id, guildId: guild.id, micros: -5n }
    await database.charge.create({ data: { ...row, micros: 5n, device: 'cpu' } })
    await database.ledgerEntry.create({ data: { ...row, kind: 'reservation' } })
    await database.auditEntry.create({ data: { guildId: guild.id, action: 'pause' } })
    const where = { guildId: guild.id }

    for (const change of [
      () => database.charge.updateMany({ where, data: { micros: 1n } }),
      () => database.ledgerEntry.updateMany({ where, data: { micros: 1n } }),
      () => database.auditEntry.updateMany({ where, data: { action: 'resume' } }),
      () => database.charge.deleteMany({ where }),
      () => database.ledgerEntry.deleteMany({ where }),
      () => database.auditEntry.deleteMany({ where }),
    ]) {
      await assert.rejects(change, refuses(/append-only/))
    }
  })

  it('keeps the ledger of a member who leaves, without the member', async () => {
    const { job, guild, member } = await newJob()
    const row = { jobId: job.id, guildId: guild.id, memberId: member.id, micros: -5n }
    await database.ledgerEntry.create({ data: { ...row, kind: 'reservation' } })
    await database.member.delete({ where: { id: member.id } })
    const entries = await database.ledgerEntry.findMany({
      where: { guildId: guild.id },
      select: { jobId: true, memberId: true, micros: true },
    })

    assert.deepEqual(entries, [{ jobId: null, memberId: null, micros: -5n }])
  })

  it('purges a guild with everything of it', async () => {
    const { job, guild, member } = await newJob()
    const row = { jobId: job.id, guildId: guild.id, memberId: member.id }
    await database.charge.create({ data: { ...row, micros: 5n, device: 'cpu' } })
    await database.ledgerEntry.create({ data: { ...row, micros: -5n, kind: 'reservation' } })
    await database.auditEntry.create({ data: { guildId: guild.id, action: 'pause' } })
    await database.favourite.create({ data: { memberId: member.id, jobId: job.id } })
    await database.guild.delete({ where: { id: guild.id } })

    assert.equal(await database.charge.count({ where: { guildId: guild.id } }), 0)
    assert.equal(await database.job.count({ where: { id: job.id } }), 0)
  })

  it("lets one balance be the guild's own", async () => {
    const { guild } = await newMember()
    const data = { guildId: guild.id, micros: 0n, at: new Date() }
    await database.balance.create({ data })

    await assert.rejects(database.balance.create({ data }), isDuplicate)
  })

  it('refuses a weight that the fair queue cannot count with', async () => {
    const { guild } = await newMember()
    const change = database.guild.update({ where: { id: guild.id }, data: { weight: 11 } })

    await assert.rejects(change, refuses(/guilds_weight_divides/))
  })

  it('refuses an end without a time, a time without an end, and a job id that is none', async () => {
    const { job, data } = await newJob()
    const where = { id: job.id }
    const end = { state: 'done', costMicros: 1n } as const

    await assert.rejects(database.job.update({ where, data: end }), refuses(/settled_is_final/))
    await assert.rejects(
      database.job.update({ where, data: { settledAt: new Date(), costMicros: 1n } }),
      refuses(/settled_is_final/),
    )
    await assert.rejects(
      database.job.create({ data: { ...data, id: 'ILOU000000' } }),
      refuses(/id_crockford/),
    )
    await database.job.update({ where, data: { ...end, settledAt: new Date() } })
  })

  it('loses the previews, and only them, when it crashes', async () => {
    const rows = await database.$queryRaw<{ relname: string }[]>`
      SELECT relname::text FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'`

    assert.deepEqual(rows, [{ relname: 'previews' }])
  })
})

describe('the generated client', () => {
  it('is what the schema generates', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const folder = mkdtempSync(join(tmpdir(), 'zimagine-generate-'))
    after(() => rmSync(folder, { recursive: true, force: true }))
    // Inside the package, as the client's imports are looked up from where it lies.
    for (const name of ['prisma', 'prisma.config.ts', 'package.json']) {
      cpSync(join(root, name), join(folder, name), { recursive: true })
    }
    const linked = spawnSync('ln', ['-s', join(root, 'node_modules'), join(folder, 'node_modules')])
    assert.equal(linked.status, 0)
    const command = join(root, 'node_modules/prisma/build/index.js')
    const { status, stderr } = spawnSync(process.execPath, [command, 'generate'], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, CHECKPOINT_DISABLE: '1' },
    })
    assert.equal(status, 0, stderr)

    const generated = (base: string): Map<string, string> => {
      const at = join(base, 'src/store/generated')
      const files = readdirSync(at, { recursive: true, encoding: 'utf8' }).filter((name) =>
        name.endsWith('.ts'),
      )
      return new Map(files.toSorted().map((name) => [name, readFileSync(join(at, name), 'utf8')]))
    }
    const [now, then] = [generated(folder), generated(root)]
    assert.deepEqual([...now.keys()], [...then.keys()])
    assert.deepEqual(
      [...now].filter(([name, text]) => then.get(name) !== text).map(([name]) => name),
      [],
    )
  })
})
