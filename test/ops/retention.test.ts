/** What leaves with time, on a real database and a folder of pictures, with a clock of our own. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type Swept, sweepOld } from '../../src/ops/retention.ts'
import { FolderBlobs } from '../../src/store/blobs/folder.ts'
import { saveSettings } from '../../src/store/guilds.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newName } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { begin, newDoneJob, newGuild, newJob, startMs } from './rows.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))
const folder = mkdtempSync(join(tmpdir(), 'zimagine-retention-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const blobs = new FolderBlobs(folder)

const dayMs = 86_400_000
const sweepAt = (nowMs: number): Promise<Swept> =>
  sweepOld({ database, blobs, purgeDays: 30, nowMs })

/** A picture that was stored at `atMs`. */
async function newPicture(atMs: number = startMs): Promise<string> {
  const key = await blobs.put(randomBytes(100), 'image/png')
  const at = new Date(atMs)
  utimesSync(join(folder, key.slice(0, 2), key.slice(2, 4), key), at, at)
  return key
}

const keysOf = async (id: string): Promise<string[]> => {
  const { inputKeys, resultKeys } = await database.job.findUniqueOrThrow({ where: { id } })
  return [...inputKeys, ...resultKeys]
}

describe('a picture', () => {
  it('leaves after the days that its guild keeps it, its job stays', async () => {
    const guild = await newGuild(database)
    await saveSettings(database, guild, { ...guild.settings, retentionDays: 7 }, startMs)
    const [key, image] = [await newPicture(), await newPicture()]
    const { id } = await newDoneJob(database, guild, { keys: [key], image })

    await sweepAt(startMs + 7 * dayMs)
    const [before, wasThere] = [await keysOf(id), await blobs.has(key)]
    const { jobs } = await sweepAt(startMs + 7 * dayMs + 1)

    assert.deepEqual([before, wasThere], [[image, key], true])
    assert.equal(jobs, 1)
    assert.deepEqual(
      [await keysOf(id), await blobs.has(key), await blobs.has(image)],
      [[], false, false],
    )
    const job = await database.job.findUniqueOrThrow({ where: { id } })
    assert.deepEqual([job.state, Number(job.costMicros)], ['done', 600])
  })

  it('stays as long as it is a favourite', async () => {
    const key = await newPicture()
    const { id, memberRow } = await newDoneJob(database, await newGuild(database), { keys: [key] })
    await database.favourite.create({ data: { memberId: memberRow, jobId: id } })

    await sweepAt(startMs + 900 * dayMs)
    assert.equal(await blobs.has(key), true)

    await database.favourite.deleteMany({ where: { jobId: id } })
    await sweepAt(startMs + 900 * dayMs)
    assert.equal(await blobs.has(key), false)
  })

  it('stays as long as a report about it is open', async () => {
    const key = await newPicture()
    const guild = await newGuild(database)
    const { id } = await newDoneJob(database, guild, { keys: [key] })
    const report = await database.report.create({
      data: { guildId: guild.row, kind: 'report', jobId: id },
    })

    await sweepAt(startMs + 900 * dayMs)
    assert.equal(await blobs.has(key), true)

    const data = { state: 'dismissed', answeredAt: new Date() } as const
    await database.report.update({ where: { id: report.id }, data })
    await sweepAt(startMs + 900 * dayMs)
    assert.equal(await blobs.has(key), false)
  })

  it('stays as long as another job begins with it', async () => {
    const key = await newPicture()
    const guild = await newGuild(database)
    const { id } = await newDoneJob(database, guild, { keys: [key] })
    const { id: later } = await newJob(database, guild, { image: key })

    await sweepAt(startMs + 900 * dayMs)

    assert.deepEqual([await keysOf(id), await keysOf(later)], [[], [key]])
    assert.equal(await blobs.has(key), true)
  })

  it('stays as long as what was said about it in the playground', async () => {
    const key = await newPicture()
    const guild = await database.guild.create({ data: { platform: 'web', platformId: newName() } })
    const content = { text: 'look', files: [{ key }] }
    const createdAt = new Date(startMs)
    await database.webMessage.create({
      data: { guildId: guild.id, channel: 'pictures', author: 'anna', content, createdAt },
    })

    await sweepAt(startMs + 30 * dayMs)
    assert.equal(await blobs.has(key), true)

    await sweepAt(startMs + 30 * dayMs + 1)
    assert.equal(await blobs.has(key), false)
  })

  it('that nobody names leaves an hour after it was stored', async () => {
    const nowMs = startMs + 5 * dayMs
    const [young, old] = [await newPicture(nowMs - 3_600_000), await newPicture(nowMs - 3_600_001)]

    const { blobs: removed, found } = await sweepAt(nowMs)

    assert.deepEqual([await blobs.has(young), await blobs.has(old)], [true, false])
    assert.equal(removed, 1)
    assert.equal(found.sizeBytes, 100 * found.count)
  })
})

describe('a preview', () => {
  const preview = { step: 1, evaluations: 8, contentType: 'image/jpeg', bytes: new Uint8Array(9) }
  const nowMs = Date.now()

  it('leaves with the end of its job, or when nobody renews it', async () => {
    const guild = await newGuild(database)
    const [ended, stale, fresh] = [
      await newDoneJob(database, guild),
      await newJob(database, guild),
      await newJob(database, guild),
    ]
    for (const { id } of [stale, fresh]) await begin(database, id, startMs)
    for (const { id } of [ended, stale, fresh]) {
      const updatedAt = new Date(id === stale.id ? nowMs - 3_600_001 : nowMs)
      await database.preview.create({ data: { ...preview, jobId: id, updatedAt } })
    }

    await sweepAt(nowMs)

    const left = await database.preview.findMany()
    assert.deepEqual(
      left.map(({ jobId }) => jobId),
      [fresh.id],
    )
  })
})

describe('a guild that removed the bot', () => {
  it('is forgotten after the stated days, with rows and pictures, and that is noted', async () => {
    const [gone, other] = [await newGuild(database), await newGuild(database)]
    const nowMs = startMs + 40 * dayMs
    const key = await newPicture()
    const kept = await newPicture()
    const { id, memberRow } = await newDoneJob(database, gone, { keys: [key] })
    await database.favourite.create({ data: { memberId: memberRow, jobId: id } })
    await newDoneJob(database, other, { keys: [kept], atMs: nowMs - dayMs })
    const removedAt = new Date(nowMs - 30 * dayMs)
    await database.guild.update({ where: { id: gone.row }, data: { removedAt } })

    await sweepAt(nowMs)
    assert.equal(await blobs.has(key), true, 'not a moment before')
    const { guilds } = await sweepAt(nowMs + 1)

    assert.equal(guilds, 1)
    const left = await Promise.all([
      database.guild.count({ where: { id: gone.row } }),
      database.member.count({ where: { guildId: gone.row } }),
      database.job.count({ where: { guildId: gone.row } }),
      database.charge.count({ where: { guildId: gone.row } }),
      database.ledgerEntry.count({ where: { guildId: gone.row } }),
    ])
    assert.deepEqual(left, [0, 0, 0, 0, 0])
    assert.deepEqual([await blobs.has(key), await blobs.has(kept)], [false, true])
    const notes = await database.auditEntry.findMany({ where: { action: 'guild.purge' } })
    assert.deepEqual(
      notes.map(({ facts }) => facts),
      [{ guild: gone.id }],
    )
  })
})

describe('sweepOld', () => {
  it('ends between two steps when it is told to', async () => {
    const closing = new AbortController()
    closing.abort(new Error('another one leads'))
    const { signal } = closing
    const options = { database, blobs, purgeDays: 30, nowMs: startMs, signal }

    await assert.rejects(sweepOld(options), /another one leads/)
  })
})
