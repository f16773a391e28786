/** The jobs of a guild that wait for a device, for whoever clears its queue. */
import type { StoredGuild, StoredMember } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** How many jobs of a guild, or of one member in it, no device has yet. */
export async function countQueued(
  database: Database,
  guild: Pick<StoredGuild, 'row'>,
  member?: Pick<StoredMember, 'row'>,
): Promise<number> {
  return database.job.count({ where: queuedOf(guild, member) })
}

/**
 * Some of the jobs of a guild, or of one member in it, that no device has yet, which nobody else can
 * change until the transaction ends.
 */
export async function lockQueued(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  { member, most }: { readonly member?: Pick<StoredMember, 'row'>; readonly most: number },
): Promise<{ readonly id: string; readonly attempt: number }[]> {
  const some = await transaction.job.findMany({
    where: queuedOf(guild, member),
    orderBy: { id: 'asc' },
    take: most,
    select: { id: true },
  })
  const ids = some.map(({ id }) => id)
  // All of them before anybody's balance: that is the order of locks in this house.
  return transaction.$queryRaw<{ id: string; attempt: number }[]>`
    SELECT id, attempt FROM jobs WHERE id = ANY(${ids}::char(10)[]) AND state = 'queued' ORDER BY id FOR UPDATE`
}

function queuedOf(
  guild: Pick<StoredGuild, 'row'>,
  member?: Pick<StoredMember, 'row'>,
): { readonly guildId: number; readonly state: 'queued'; readonly memberId?: number } {
  return { guildId: guild.row, state: 'queued', ...(member && { memberId: member.row }) }
}
