/**
 * Commands as the router runs them, on real services: one database, blobs in a folder, admission,
 * cancelling. What people are and where they speak is what the test says.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { commands } from '../../commands/index.ts'
import { type Context, type OptionValue, pathOf } from '../../src/chat/command.ts'
import { type Locale, words } from '../../src/chat/i18n.ts'
import type { Message } from '../../src/chat/message.ts'
import type { Services } from '../../src/chat/services.ts'
import type { Rank } from '../../src/core/permission.ts'
import { encodeImage } from '../../src/engine/image.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { FolderBlobs } from '../../src/store/blobs/folder.ts'
import type { ModelCard } from '../../src/store/devices.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { findJob, markDispatched, markStarted, settleDone } from '../../src/store/jobs.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { newAsked, newName } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'

/** The URL of this file's database. */
export const url = await newDatabase()
/** This file's database. */
export const database = openDatabase(url)
/** When everything happens. */
export const nowMs = Date.UTC(2026, 0, 1)
const folder = mkdtempSync(join(tmpdir(), 'zimagine-commands-'))
/** This file's blobs. */
export const blobs = new FolderBlobs(folder)
const rateLimit = new RateLimit()

after(async () => {
  await rateLimit.close()
  await closeDatabase(database)
  rmSync(folder, { recursive: true, force: true })
})

/** The built-in model's card, or one like it. */
export const card: ModelCard = {
  name: 'nano',
  parameters: 9_000_000,
  defaults: { width: 256, height: 256, evaluations: 8, guidance: 0 },
}

/** What a test may have otherwise. */
export type Facts = {
  readonly guild?: string
  readonly member?: string
  readonly rank?: Rank
  readonly locale?: Locale
  readonly services?: Partial<Services>
}

/** Services as they are in a bot's process. */
export function newServices(facts: Partial<Services> = {}): Services {
  const now = (): number => nowMs
  return {
    database,
    blobs,
    admission: { database, rateLimit, predictWaitMs: () => 0, now },
    cancelling: { database, cancelDispatch: async () => 'absent', now },
    outlookOf: () => ({
      position: 2,
      estimate: {
        likelyMs: 9_000,
        fromMs: 5_400,
        toMs: 18_000,
        ownPicturesAhead: 3,
        otherGuildsWaiting: 2,
      },
      hasDevice: true,
    }),
    servedNow: () => [],
    modelCard: async () => card,
    removeShown: () => {},
    now,
    ...facts,
  }
}

/** Somebody speaks, in a guild of their own unless told otherwise. */
export async function newContext(facts: Facts = {}): Promise<Context> {
  const { guild: guildName, member: name, rank = 'member', locale = 'en-US', services } = facts
  const asked = newAsked({
    ...(guildName !== undefined && { guild: guildName }),
    ...(name !== undefined && { member: name }),
    isModerator: rank === 'moderator',
    isOperator: rank === 'operator',
  })
  const guild = await ensureGuild(database, { ...asked, platformId: asked.guild })
  const member = await ensureMember(database, guild, { ...asked, id: asked.member })
  return {
    say: words(locale),
    locale,
    guild,
    member,
    rank,
    asked,
    services: newServices(services),
    nowMs,
  }
}

/** The same person once more, with something else to say, or others of the same guild. */
export async function next(context: Context, facts: Facts = {}): Promise<Context> {
  const { guild, member } = context.asked
  const again = await newContext({
    guild,
    member,
    rank: context.rank,
    locale: context.locale,
    ...facts,
  })
  return { ...again, services: { ...context.services, ...facts.services } }
}

/** Runs an action by its path; the message it answers with, which only the asker sees. */
export async function run(
  context: Context,
  path: string,
  options: Readonly<Record<string, OptionValue | undefined>> = {},
): Promise<Message> {
  for (const command of commands) {
    for (const [name, action] of Object.entries(command.actions)) {
      if (pathOf(command.name, name) !== path) continue
      const reply = await action.run(context, options)
      assert.equal(reply.kind, 'message')
      if (reply.kind !== 'message') continue
      assert.equal(reply.isPrivate, true)
      return reply.message
    }
  }
  throw new Error(`expected a command, got ${path}`)
}

/** Asks for a picture and gives back the job of the answer. */
export async function asked(
  context: Context,
  path: string,
  options: Readonly<Record<string, OptionValue | undefined>>,
) {
  const message = await run(context, path, options)
  const row = await database.job.findUniqueOrThrow({
    where: {
      guildId_invocationId: {
        guildId: context.guild.row,
        invocationId: context.asked.invocationId,
      },
    },
  })
  return { message, job: (await findJob(database, row.id))! }
}

/** A small picture of one colour, which no other picture has. */
export async function newPicture(width = 64, height = 48): Promise<Uint8Array> {
  const colour = Number(/\d+$/.exec(newName())![0])
  const data = new Uint8Array(width * height * 3).fill(colour % 256)
  data[0] = colour >> 8
  return encodeImage({ width, height, data }, 'png')
}

/** A job that has been drawn, its pictures in the store. */
export async function drawn(
  context: Context,
  options: Readonly<Record<string, OptionValue | undefined>> = { prompt: 'a red fox' },
) {
  const { job } = await asked(context, 'imagine', options)
  const keys = await Promise.all(
    Array.from({ length: job.spec.count }, async () => blobs.put(await newPicture(), 'image/png')),
  )
  await inTransaction(database, (transaction) => markDispatched(transaction, job.id, nowMs))
  await markStarted(database, job.id, { attempt: 1, device: 'test:0', nowMs })
  await inTransaction(database, (transaction) =>
    settleDone(transaction, job.id, 1, {
      costMicros: 1_000,
      results: { keys, device: 'test:0' },
      nowMs: nowMs + 4_000,
    }),
  )
  return (await findJob(database, job.id))!
}
