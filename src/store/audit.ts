/** The audit log, read: the newest entries of one guild first. `guilds.ts` writes it. */
import type { Database, Transaction } from './prisma.ts'
import { objectOf, type StoredGuild, type StoredMember } from './guilds.ts'

/** Something that was done. */
export type AuditRecord = {
  readonly action: string
  readonly facts: Readonly<Record<string, unknown>>
  /** The platform's id of who did it; none of one who is gone. */
  readonly member: string | undefined
  readonly atMs: number
}

/** A page of the log, counted from 1, and how many pages there are. */
export async function auditPage(
  database: Database,
  guild: Pick<StoredGuild, 'row'>,
  { page, size }: { readonly page: number; readonly size: number },
): Promise<{ readonly records: readonly AuditRecord[]; readonly pages: number }> {
  const where = { guildId: guild.row }
  const entries = await database.auditEntry.count({ where })
  const rows = await database.auditEntry.findMany({
    where,
    include: { member: true },
    orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
    skip: (page - 1) * size,
    take: size,
  })
  const records = rows.map(({ action, facts, member, createdAt }) => ({
    action,
    facts: objectOf(facts),
    member: member?.platformId,
    atMs: createdAt.getTime(),
  }))
  return { records, pages: Math.ceil(entries / size) }
}

/** Whether a rule has refused something of a member since then, as the log says. */
export async function isRefusalAudited(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  { rule, sinceMs }: { readonly rule: string; readonly sinceMs: number },
): Promise<boolean> {
  const entry = await database.auditEntry.findFirst({
    where: {
      memberId: member.row,
      action: 'prompt refused',
      createdAt: { gt: new Date(sinceMs) },
      facts: { path: ['rule'], equals: rule },
    },
  })
  return entry !== null
}
