/** Blocks of members, changed; `guilds.ts` reads the one that is on somebody now. */
import type { StoredBlock, StoredGuild, StoredMember } from './guilds.ts'
import type { Transaction } from './prisma.ts'

/** Blocks a member, in place of any block that was on them. */
export async function setBlock(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  member: Pick<StoredMember, 'row'>,
  { reason, untilMs, nowMs }: StoredBlock & { readonly nowMs: number },
): Promise<void> {
  const where = { guildId: guild.row, memberId: member.row }
  const block = {
    reason,
    until: untilMs === undefined ? null : new Date(untilMs),
    createdAt: new Date(nowMs),
  }
  await transaction.block.upsert({
    where: { guildId_memberId: where },
    create: { ...where, ...block },
    update: block,
  })
}

/** Takes the block off a member, if there is one. */
export async function removeBlock(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  member: Pick<StoredMember, 'row'>,
): Promise<void> {
  await transaction.block.deleteMany({ where: { guildId: guild.row, memberId: member.row } })
}
