/**
 * Quotas and what is in use of them, as rows. A balance is minus what is in use, so it moves as the ledger
 * does. Both balances of a job, its guild's first, are locked by whoever changes them: two at once
 * cannot overspend, nor wait for each other in a circle.
 */
import { type Account, type Quota, type Usage, drained, noUsage, quotaOf } from '../core/quota.ts'
import type { Quota as QuotaRow, QuotaScope } from './generated/client.ts'
import type { StoredGuild, StoredMember } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** Which rule gave a member their quota. */
export type QuotaRule = 'member' | 'role' | 'everyone'

/** What somebody's jobs are charged to. */
export type Accounts = {
  readonly member: Account
  readonly guild: Account
  readonly memberRule: QuotaRule
}

/** Who pays for a job; the guild by its row. */
export type Payers = {
  readonly guild: Pick<StoredGuild, 'row'>
  readonly member: Pick<StoredMember, 'row' | 'id' | 'roleIds'>
}

/** Whose quota: a role's or a member's by the platform's id, or what every member has. */
export type QuotaSubject =
  | { readonly scope: 'guild' }
  | { readonly scope: 'everyone' }
  | { readonly scope: 'role' | 'member'; readonly id: string }

const dayMs = 86_400_000

/** The quota of members for whom nothing is set: 300 s a day, some 300 pictures of 1024 x 1024. */
export const defaultQuota: Quota = {
  refillMicros: 300_000_000,
  windowMs: dayMs,
  hardCapMicros: 900_000_000,
}

/** A quota's row without a guild of its own: no platform has such a role. */
const everyone = 'everyone'

/** Sets a quota, `null` for none at all, `undefined` for the rule that comes next. */
export async function setQuota(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  subject: QuotaSubject,
  quota: Quota | null | undefined,
): Promise<void> {
  const key = { guildId: guild.row, ...keyOf(subject) }
  if (quota === undefined) {
    await database.quota.deleteMany({ where: key })
    return
  }
  const numbers = {
    refillMicros: quota && BigInt(quota.refillMicros),
    windowMs: quota && BigInt(quota.windowMs),
    hardCapMicros: quota && BigInt(quota.hardCapMicros),
  }
  await database.quota.upsert({
    where: { guildId_scope_subject: key },
    create: { ...key, ...numbers },
    update: numbers,
  })
}

/** The quota that is set for a subject: `null` for none at all, `undefined` if nothing is set. */
export async function quotaAt(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  subject: QuotaSubject,
): Promise<Quota | null | undefined> {
  const row = await database.quota.findUnique({
    where: { guildId_scope_subject: { guildId: guild.row, ...keyOf(subject) } },
  })
  return row ? readQuota(row) : undefined
}

/** Every quota that a guild has set, the guild's and everyone's first. */
export async function quotasOf(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<{ readonly subject: QuotaSubject; readonly quota: Quota | null }[]> {
  const rows = await database.quota.findMany({
    where: { guildId: guild.row },
    orderBy: [{ scope: 'asc' }, { subject: 'asc' }],
  })
  const set = rows.map((row) => ({ subject: subjectOf(row), quota: readQuota(row) }))
  const isOfAll = ({ scope }: QuotaSubject): boolean => scope === 'guild' || scope === 'everyone'
  return [
    ...set.filter(({ subject }) => isOfAll(subject)),
    ...set.filter(({ subject }) => !isOfAll(subject)),
  ]
}

/**
 * What a member and the guild have in use, of how much, now. With `isLocked` nobody else can change
 * it until the transaction ends, which needs one.
 */
export async function accountsOf(
  transaction: Transaction,
  { guild, member }: Payers,
  { isLocked, nowMs }: { readonly isLocked: boolean; readonly nowMs: number },
): Promise<Accounts> {
  const rows = await transaction.quota.findMany({ where: { guildId: guild.row } })
  const of = (scope: QuotaScope, subject: string): Quota | null | undefined => {
    const row = rows.find((each) => each.scope === scope && each.subject === subject)
    return row && readQuota(row)
  }
  const own = of('member', member.id)
  const roles = member.roleIds
    .map((role) => of('role', role))
    .filter((quota) => quota !== undefined)
  const shared = of('role', everyone)
  const quota = quotaOf({
    ...(own !== undefined && { member: own }),
    roles,
    everyone: shared === undefined ? defaultQuota : shared,
  })
  const balances: readonly BalanceRow[] = isLocked
    ? await lockBalances(transaction, { guild, member })
    : await transaction.balance.findMany({
        where: { guildId: guild.row, OR: [{ memberId: null }, { memberId: member.row }] },
      })
  const usage = (memberId: number | null, quota: Quota | undefined): Usage => {
    const row = balances.find((balance) => balance.memberId === memberId)
    // Without a quota nothing drains, so nothing is counted either.
    if (!row || !quota) return { ...noUsage, atMs: nowMs }
    return drained({ usedMicros: Number(-row.micros), atMs: row.at.getTime() }, quota, nowMs)
  }
  const guildQuota = of('guild', '') ?? undefined
  return {
    member: { usage: usage(member.row, quota), quota },
    guild: { usage: usage(null, guildQuota), quota: guildQuota },
    memberRule: own !== undefined ? 'member' : roles.length > 0 ? 'role' : 'everyone',
  }
}

/** Writes back what is in use of accounts that `accountsOf` has locked. */
export async function saveUsage(
  transaction: Transaction,
  { guild, member }: Payers,
  usage: { readonly guild: Usage; readonly member: Usage },
): Promise<void> {
  const row = ({ usedMicros, atMs }: Usage): { micros: bigint; at: Date } => ({
    micros: BigInt(-usedMicros),
    at: new Date(atMs),
  })
  await transaction.balance.updateMany({
    where: { guildId: guild.row, memberId: null },
    data: row(usage.guild),
  })
  await transaction.balance.update({ where: { memberId: member.row }, data: row(usage.member) })
}

/**
 * As if a member had used nothing; the ledger says how much was granted. The guild's usage stays.
 *
 * @returns what had been in use, in microseconds
 */
export async function resetUsage(
  transaction: Transaction,
  payers: Payers,
  nowMs: number,
): Promise<number> {
  const { guild, member } = await accountsOf(transaction, payers, { isLocked: true, nowMs })
  await transaction.ledgerEntry.create({
    data: {
      kind: 'grant',
      guildId: payers.guild.row,
      memberId: payers.member.row,
      micros: BigInt(member.usage.usedMicros),
      createdAt: new Date(nowMs),
    },
  })
  await saveUsage(transaction, payers, { guild: guild.usage, member: noUsage })
  return member.usage.usedMicros
}

type BalanceRow = {
  readonly memberId: number | null
  readonly micros: bigint
  readonly at: Date
}

/** Locks both balances and reads them, making them if need be. */
async function lockBalances(transaction: Transaction, payers: Payers): Promise<BalanceRow[]> {
  const [guildId, memberId] = [payers.guild.row, payers.member.row]
  // Careful: always in this order, the guild's first, or two that lock would wait for each other.
  const lock = (): Promise<BalanceRow[]> => transaction.$queryRaw<BalanceRow[]>`
    SELECT member_id AS "memberId", micros, at FROM balances
    WHERE guild_id = ${guildId} AND (member_id IS NULL OR member_id = ${memberId})
    ORDER BY member_id NULLS FIRST FOR UPDATE`
  const rows = await lock()
  if (rows.length === 2) return rows
  await transaction.$executeRaw`
    INSERT INTO balances (guild_id, member_id, micros, at)
    VALUES (${guildId}, NULL, 0, 'epoch'), (${guildId}, ${memberId}, 0, 'epoch')
    ON CONFLICT DO NOTHING`
  return lock()
}

function keyOf(subject: QuotaSubject): { scope: QuotaScope; subject: string } {
  if (subject.scope === 'guild') return { scope: 'guild', subject: '' }
  if (subject.scope === 'everyone') return { scope: 'role', subject: everyone }
  return { scope: subject.scope, subject: subject.id }
}

function subjectOf({ scope, subject }: QuotaRow): QuotaSubject {
  if (scope === 'guild') return { scope }
  return scope === 'role' && subject === everyone ? { scope: everyone } : { scope, id: subject }
}

function readQuota({ refillMicros, windowMs, hardCapMicros }: QuotaRow): Quota | null {
  if (refillMicros === null || windowMs === null || hardCapMicros === null) return null
  return {
    refillMicros: Number(refillMicros),
    windowMs: Number(windowMs),
    hardCapMicros: Number(hardCapMicros),
  }
}
