/**
 * Backups of a real Postgres and of pictures in a folder and a bucket: what is put back is what was
 * there at one moment, and what is not whole is refused before anything is changed.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Client } from 'pg'
import { backup } from '../../src/ops/backup.ts'
import { restore } from '../../src/ops/restore.ts'
import type { BlobStore } from '../../src/store/blobs/blob-store.ts'
import { FolderBlobs } from '../../src/store/blobs/folder.ts'
import { S3Blobs } from '../../src/store/blobs/s3.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { refusalOf } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { startBucket } from '../store/blobs/bucket.ts'
import { begin, newDoneJob, newGuild, newJob } from './rows.ts'

const folder = mkdtempSync(join(tmpdir(), 'zimagine-backup-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const bucket = await startBucket(join(folder, 's3'))
after(() => bucket.close())

const sourceUrl = await newDatabase()
const sources = new FolderBlobs(join(folder, 'source'))
const file = join(folder, 'backup.tar')
const databaseNames = [
  'plain',
  'bucket',
  'forced',
  'full',
  'used',
  'torn',
  'later',
  'missing',
] as const
const targets = Object.fromEntries(
  await Promise.all(
    databaseNames.map(async (name) => [name, await newDatabase({ isEmpty: true })]),
  ),
) as Record<(typeof databaseNames)[number], string>

const isWindows = process.platform === 'win32'
let targetFolders = 0
const newBlobs = (): FolderBlobs => new FolderBlobs(join(folder, `target-${(targetFolders += 1)}`))

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client(url)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** A fingerprint of every row of every table that is kept, by table. */
async function fingerprints(url: string): Promise<Record<string, unknown>> {
  const tables = await query(
    url,
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p'
     AND relnamespace = 'public'::regnamespace AND relname <> '_prisma_migrations' ORDER BY 1`,
  )
  const found: Record<string, unknown> = {}
  for (const { name } of tables) {
    const [row] = await query(
      url,
      `SELECT count(*)::int AS count, md5(string_agg(t::text, chr(10) ORDER BY t::text)) AS hash
       FROM public."${String(name)}" t`,
    )
    found[String(name)] = row
  }
  return found
}

const sumsOfLedger =
  'SELECT kind, sum(micros)::text AS sum, count(*)::int AS n FROM ledger_entries GROUP BY 1 ORDER BY 1'

/** The keys of all blobs, each of which is read and so checked. */
async function keysOf(blobs: BlobStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of blobs.list()) {
    assert.ok(await blobs.get(key), 'a blob that is there is whole')
    keys.push(key)
  }
  return keys.toSorted()
}

let keys: string[] = []
before(async () => {
  const database = openDatabase(sourceUrl)
  const guild = await newGuild(database)
  keys = await Promise.all(
    Array.from({ length: 10 }, (_, k) => sources.put(randomBytes(900 + k), 'image/png')),
  )
  await sources.put(randomBytes(50), 'image/png') // Nobody's.
  const odd = 'a "fox", \\ {in} (the)\n\tsnow 雪 🦊 \u0001'
  const first = await newDoneJob(database, guild, { keys: keys.slice(0, 4) })
  await newDoneJob(database, guild, { keys: keys.slice(3, 8), parent: first.id, image: keys[8]! })
  await database.job.update({
    where: { id: first.id },
    data: { spec: { prompt: odd, none: null } },
  })
  await database.favourite.create({ data: { memberId: first.memberRow, jobId: first.id } })
  await database.state.create({ data: { name: 'null', value: [null, 0.1, 1e21, odd] } })
  const talk = await database.guild.create({ data: { platform: 'web', platformId: 'demo' } })
  const content = { files: [{ key: keys[9]! }] }
  await database.webMessage.create({ data: { guildId: talk.id, channel: 'pictures', content } })
  await database.flow.create({ data: { path: `open/fast/${guild.id}`, start: 2n ** 62n } })
  const { id } = await newJob(database, guild)
  await newJob(database, guild, { parent: id })
  await closeDatabase(database)
  await backup({ databaseUrl: sourceUrl, blobs: sources, file })
})

describe('a backup', () => {
  it('brings back every row, sequence and picture that a row names', async () => {
    const blobs = newBlobs()

    await restore({ databaseUrl: targets.plain, blobs, file, isForced: false })

    assert.deepEqual(await fingerprints(targets.plain), await fingerprints(sourceUrl))
    assert.deepEqual(await query(targets.plain, sumsOfLedger), await query(sourceUrl, sumsOfLedger))
    assert.deepEqual(await keysOf(blobs), keys.toSorted())
    const sequence = `SELECT last_value::text, is_called FROM ledger_entries_id_seq`
    assert.deepEqual(await query(targets.plain, sequence), await query(sourceUrl, sequence))
  })

  it('leaves a database behind that works, its rules in force', async () => {
    const database = openDatabase(targets.plain)
    const { id } = await newDoneJob(database, await newGuild(database))
    await closeDatabase(database)

    const orphan = `INSERT INTO favourites (member_id, job_id) VALUES (123456, '${id}')`
    await assert.rejects(query(targets.plain, orphan), /foreign key/)
    await assert.rejects(query(targets.plain, 'DELETE FROM ledger_entries'), /append-only/)
    const [deferrable] = await query(
      targets.plain,
      'SELECT count(*)::int AS n FROM pg_constraint WHERE condeferrable',
    )
    assert.equal(deferrable?.['n'], 0)
  })

  it('goes into a bucket too, and out of it', async () => {
    const blobs = new S3Blobs({ ...bucket.location, prefix: 'restored' })
    const again = join(folder, 'again.tar')

    await restore({ databaseUrl: targets.bucket, blobs, file, isForced: false })
    const manifest = await backup({ databaseUrl: targets.bucket, blobs, file: again })

    assert.deepEqual(await keysOf(blobs), keys.toSorted())
    assert.deepEqual([manifest.blobs.count, manifest.blobs.lost], [keys.length, []])
  })

  it('is an archive that any tar reads and nobody else may', { skip: isWindows }, () => {
    const listed = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n')

    assert.equal(listed.filter((name) => name.startsWith('blobs/')).length, keys.length)
    assert.equal(listed.at(-1), 'manifest.json')
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  it('is of one moment while others write', async () => {
    const database = openDatabase(sourceUrl)
    const guild = await newGuild(database)
    const during = join(folder, 'during.tar')
    const over = new AbortController()
    const writing = (async () => {
      let jobs = 0
      while (!over.signal.aborted) {
        await newDoneJob(database, guild)
        jobs += 1
      }
      return jobs
    })()
    const manifest = await backup({ databaseUrl: sourceUrl, blobs: sources, file: during })
    over.abort()
    const jobs = await writing
    await closeDatabase(database)

    assert.ok(jobs > 0, 'somebody wrote')
    await restore({
      databaseUrl: targets.missing,
      blobs: newBlobs(),
      file: during,
      isForced: false,
    })
    const [settled] = await query(
      targets.missing,
      `SELECT (SELECT count(*) FROM jobs WHERE state = 'done')::int AS jobs,
        (SELECT count(*) FROM charges)::int AS charges,
        (SELECT count(*) FROM ledger_entries WHERE kind = 'settlement')::int AS settlements`,
    )
    assert.equal(settled?.['jobs'], settled?.['charges'])
    assert.equal(settled?.['jobs'], settled?.['settlements'])
    assert.equal(manifest.tables['charges'], settled?.['charges'])
  })

  it('lets jobs wait again that a device held', async () => {
    const database = openDatabase(sourceUrl)
    const { id } = await newJob(database, await newGuild(database))
    await begin(database, id, Date.now())
    await closeDatabase(database)
    const held = join(folder, 'held.tar')
    await backup({ databaseUrl: sourceUrl, blobs: sources, file: held })

    const { waitingAgain } = await restore({
      databaseUrl: targets.forced,
      blobs: newBlobs(),
      file: held,
      isForced: true,
    })

    assert.equal(waitingAgain, 1)
    const [job] = await query(targets.forced, `SELECT state, attempt FROM jobs WHERE id = '${id}'`)
    assert.deepEqual(job, { state: 'queued', attempt: 1 })
  })

  it('replaces what is there only when it is told to', async () => {
    const database = openDatabase(targets.full)
    await restore({ databaseUrl: targets.full, blobs: newBlobs(), file, isForced: false })
    const guild = await newGuild(database)
    await closeDatabase(database)
    const again = { databaseUrl: targets.full, blobs: newBlobs(), file }

    const { code } = await refusalOf(restore({ ...again, isForced: false }))
    const before = await query(targets.full, 'SELECT count(*)::int AS n FROM guilds')
    await restore({ ...again, isForced: true })
    const [after] = await query(targets.full, 'SELECT count(*)::int AS n FROM guilds')

    assert.equal(code, 'restore-not-empty')
    assert.deepEqual(before, [{ n: 3 }], guild.id)
    assert.deepEqual(after, { n: 2 })
  })

  it('leaves out, and tells of, a picture that is gone or damaged', async () => {
    const blobs = newBlobs()
    for (const key of keys.slice(2)) await blobs.put((await sources.get(key))!, 'image/png')
    const damaged = await blobs.put((await sources.get(keys[1]!))!, 'image/png')
    const path = join(folder, `target-${targetFolders}`, damaged.slice(0, 2), damaged.slice(2, 4))
    writeFileSync(join(path, damaged), 'something else')
    const partial = join(folder, 'partial.tar')

    const { blobs: saved } = await backup({ databaseUrl: sourceUrl, blobs, file: partial })

    assert.deepEqual(saved.lost, keys.slice(0, 2).toSorted())
    assert.equal(saved.count, keys.length - 2)
  })
})

describe('no backup', () => {
  const whole = (): Buffer => readFileSync(file)
  const refusal = async (bytes: Buffer): Promise<unknown> => {
    const torn = join(folder, 'torn.tar')
    writeFileSync(torn, bytes)
    const options = { databaseUrl: targets.torn, blobs: newBlobs(), file: torn, isForced: false }
    const { code, params } = await refusalOf(restore(options))
    return [code, params['reason']]
  }

  it('is restored that is cut off, wherever', async () => {
    const bytes = whole()
    for (const share of [0.1, 0.5, 0.9]) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * share) / 512) * 512 + 100)
      assert.deepEqual(await refusal(cut), ['backup-broken', 'truncated'])
    }
    assert.deepEqual(await refusal(bytes.subarray(0, -1024)), ['backup-broken', 'truncated'])
  })

  it('is restored in which a byte has changed, be it a row or a picture', async () => {
    for (const name of ['tables/jobs/000001.jsonl', `blobs/${keys[0]!}`]) {
      const bytes = whole()
      bytes[bytes.indexOf(name) + 600]! ^= 1
      assert.deepEqual(await refusal(bytes), ['backup-broken', 'content'], name)
    }
  })

  it('is restored that has lost its list, or was written on after it', async () => {
    const bytes = whole()
    const list = bytes.indexOf('manifest.json\0')
    const end = Buffer.alloc(1024)
    assert.deepEqual(await refusal(Buffer.concat([bytes.subarray(0, list), end])), [
      'backup-broken',
      'manifest',
    ])
    const more = Buffer.concat([bytes.subarray(0, -1024), bytes])
    assert.deepEqual(await refusal(more), ['backup-broken', 'manifest'])
  })

  it('is restored that is something else', async () => {
    assert.deepEqual(await refusal(randomBytes(5_000)), ['backup-broken', 'format'])
  })

  it('has touched the database that it was not restored into', async () => {
    assert.deepEqual(await query(targets.torn, `SELECT 1 FROM pg_class WHERE relname = 'jobs'`), [])
  })

  it('is restored from a newer Zimagine', async () => {
    const database = openDatabase(sourceUrl)
    const row = `'z', 'z', now(), '99991231000000_later', 1`
    const columns = 'id, checksum, finished_at, migration_name, applied_steps_count'
    await query(sourceUrl, `INSERT INTO _prisma_migrations (${columns}) VALUES (${row})`)
    const later = join(folder, 'later.tar')
    await backup({ databaseUrl: sourceUrl, blobs: sources, file: later })
    await query(sourceUrl, `DELETE FROM _prisma_migrations WHERE id = 'z'`)
    await closeDatabase(database)

    const options = { databaseUrl: targets.later, blobs: newBlobs(), file: later, isForced: false }
    assert.equal((await refusalOf(restore(options))).code, 'backup-newer')
  })

  it('is restored while somebody uses the database', async () => {
    const client = new Client({ connectionString: targets.used, application_name: 'zimagine' })
    await client.connect()
    const options = { databaseUrl: targets.used, blobs: newBlobs(), file, isForced: true }

    const { code } = await refusalOf(restore(options))
    await client.end()

    assert.equal(code, 'restore-in-use')
  })

  it('is made of a database that has none of our tables', async () => {
    const nothing = join(folder, 'nothing.tar')
    const options = { databaseUrl: targets.used, blobs: sources, file: nothing }

    assert.equal((await refusalOf(backup(options))).code, 'backup-nothing')
    assert.equal(existsSync(nothing), false)
  })

  it('is left half-written', async () => {
    const closing = new AbortController()
    closing.abort(new Error('enough'))
    const half = join(folder, 'half.tar')
    const options = { databaseUrl: sourceUrl, blobs: sources, file: half, signal: closing.signal }

    await assert.rejects(backup(options), /enough/)

    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('half')),
      [],
    )
  })

  it('is written where there is no folder', async () => {
    const options = { databaseUrl: sourceUrl, blobs: sources, file: join(folder, 'no', 'b.tar') }
    const { code, params } = await refusalOf(backup(options))

    assert.deepEqual([code, params['reason']], ['backup-unwritable', 'ENOENT'])
  })
})
