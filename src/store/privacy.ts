/**
 * Everything that is kept about a member: given to them, or taken away. What is summed up over a
 * guild (charges, ledger, audit) stays and loses the member. What would let somebody escape a limit
 * by deleting themselves stays as well, with nothing but the platform's id: quota in use, and a block.
 */
import type { Prisma } from './generated/client.ts'
import type { StoredGuild, StoredMember } from './guilds.ts'
import { type ReplyTo, storedReplyTo, storedSpec } from './jobs.ts'
import type { Database, Transaction } from './prisma.ts'
import { accountsOf } from './quota.ts'
import { forgetRefusal, refusalOf } from './refusals.ts'

/** Whose data. */
export type Person = { readonly guild: StoredGuild; readonly member: StoredMember }

/** A message that shows a job. */
export type ShownMessage = {
  readonly platform: string
  readonly place: ReplyTo
  readonly shown: ReplyTo
}

/** A file of a member: a picture drawn for them, or one that they uploaded. */
export type OwnFile = { readonly name: string; readonly key: string }

/** What was taken away. */
export type Erased = {
  readonly jobs: number
  readonly pictures: number
  readonly messages: readonly ShownMessage[]
  /** Blobs that may now be nobody's. */
  readonly keys: readonly string[]
  /** Quota in use, or a block, stays. */
  readonly isRemembered: boolean
}

/** All rows about a member, as plain data. */
export async function recordsOf(
  database: Database,
  { guild, member }: Person,
  nowMs: number,
): Promise<Readonly<Record<string, unknown>>> {
  const mine = { where: { memberId: member.row } }
  const {
    id: _,
    guildId: __,
    ...person
  } = await database.member.findUniqueOrThrow({
    where: { id: member.row },
  })
  return {
    guild: guild.id,
    member: person,
    jobs: await database.job.findMany({ ...mine, orderBy: { createdAt: 'asc' } }),
    charges: await database.charge.findMany(mine),
    ledger: await database.ledgerEntry.findMany(mine),
    balance: await database.balance.findMany(mine),
    quotas: await database.quota.findMany({
      where: { guildId: guild.row, scope: 'member', subject: member.id },
    }),
    favourites: await database.favourite.findMany(mine),
    reports: await database.report.findMany(mine),
    blocks: await database.block.findMany(mine),
    audit: await database.auditEntry.findMany(mine),
    refusal: await refusalOf(database, member, { nowMs }),
    messages: await database.webMessage.findMany({
      where: { guildId: guild.row, author: member.id },
    }),
  }
}

/** The files of a member, oldest first. */
export async function filesOf(database: Database, { member }: Person): Promise<OwnFile[]> {
  const rows = await database.job.findMany({
    where: { memberId: member.row },
    select: { id: true, resultKeys: true, inputKeys: true, spec: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
  })
  return rows.flatMap(({ id, resultKeys, inputKeys, spec }) => {
    const isUpload = storedSpec.parse(spec).imageOwner === member.id
    const uploads = isUpload ? inputKeys.map((key) => ({ name: `uploads/${id}`, key })) : []
    const pictures = resultKeys.map((key, index) => ({ name: `pictures/${id}-${index + 1}`, key }))
    return [...uploads, ...pictures]
      .filter(({ key }) => key !== '')
      .map(({ name, key }) => ({ name: `${name}.${key.split('.')[1]}`, key }))
  })
}

/** How much there is of a member. */
export async function countOf(
  database: Database,
  person: Person,
): Promise<{ readonly jobs: number; readonly files: number; readonly kept: number }> {
  const where = { memberId: person.member.row }
  return {
    jobs: await database.job.count({ where }),
    files: (await filesOf(database, person)).length,
    kept: await database.favourite.count({ where }),
  }
}

/**
 * Takes everything about a member away; undefined, and nothing is changed, while one of their jobs
 * has not ended.
 */
export async function eraseMember(
  transaction: Transaction,
  person: Person,
  nowMs: number,
): Promise<Erased | undefined> {
  const { guild, member } = person
  const where = { memberId: member.row }
  // Careful: balances before anything else, as admission does, so that neither waits for the other.
  const { member: account } = await accountsOf(transaction, person, { isLocked: true, nowMs })
  await transaction.$queryRaw`SELECT id FROM members WHERE id = ${member.row} FOR UPDATE`
  if ((await transaction.job.count({ where: { ...where, settledAt: null } })) > 0) return undefined

  const jobs = await transaction.job.findMany({ where })
  const block = await transaction.block.findFirst({ where })
  const uploads = await forgetUploads(transaction, person)
  await forgetTalk(transaction, person)
  await transaction.member.delete({ where: { id: member.row } })

  const { usedMicros, atMs } = account.usage
  const isRemembered = usedMicros > 0 || block !== null
  if (isRemembered) {
    const { id: memberId } = await transaction.member.create({
      data: { guildId: guild.row, platformId: member.id },
    })
    await transaction.balance.create({
      data: { guildId: guild.row, memberId, micros: BigInt(-usedMicros), at: new Date(atMs) },
    })
    if (block) await transaction.block.create({ data: { ...block, memberId } })
  }
  const pictures = jobs.flatMap(({ resultKeys }) => resultKeys).filter((key) => key !== '')
  return {
    jobs: jobs.length,
    pictures: pictures.length,
    messages: jobs.flatMap((job) => messageOf(guild, job)),
    keys: [...new Set([...pictures, ...jobs.flatMap(({ inputKeys }) => inputKeys), ...uploads])],
    isRemembered,
  }
}

/** Others' ended jobs that began from a member's uploads forget them; gives back the blobs. */
async function forgetUploads(
  transaction: Transaction,
  { guild, member }: Person,
): Promise<string[]> {
  const rows = await transaction.$queryRaw<{ key: string | null }[]>`
    UPDATE jobs SET input_keys = '{}', spec = jobs.spec - 'image' - 'imageOwner' - 'strength'
    FROM jobs AS before
    WHERE before.id = jobs.id AND jobs.guild_id = ${guild.row} AND jobs.member_id <> ${member.row}
      AND jobs.settled_at IS NOT NULL AND jobs.spec ->> 'imageOwner' = ${member.id}
    RETURNING before.spec ->> 'image' AS key`
  return rows.flatMap(({ key }) => (key === null ? [] : [key]))
}

/** What the member wrote, and what only the member was told. */
async function forgetTalk(transaction: Transaction, { guild, member }: Person): Promise<void> {
  const where = { memberId: member.row }
  await transaction.report.deleteMany({ where: { ...where, kind: 'appeal' } })
  await transaction.report.updateMany({ where, data: { note: null } })
  await transaction.webMessage.deleteMany({
    where: { guildId: guild.row, OR: [{ author: member.id }, { visibleTo: member.id }] },
  })
  await forgetRefusal(transaction, member)
}

function messageOf(
  { platform }: StoredGuild,
  { replyTo, shown }: { readonly replyTo: Prisma.JsonValue; readonly shown: Prisma.JsonValue },
): ShownMessage[] {
  if (shown === null) return []
  return [{ platform, place: storedReplyTo.parse(replyTo), shown: storedReplyTo.parse(shown) }]
}
