/** A guild with a moderator and a member, for tests of what moderators do. */
import type { Context } from '../../src/chat/command.ts'
import { newName } from '../jobs/admission.ts'
import { database, newContext, next } from './context.ts'

/** A moderator, and a member of the same guild whose name is shown as `Ann`. */
export async function newGuild(): Promise<{
  readonly moderator: Context
  readonly member: Context
}> {
  const moderator = await newContext({ rank: 'moderator' })
  const member = await next(moderator, { rank: 'member', member: newName() })
  await database.member.update({ where: { id: member.member.row }, data: { name: 'Ann' } })
  return { moderator, member }
}

/** Actions and facts of a guild's audit log, oldest first. */
export async function auditOf({ guild }: Context): Promise<(readonly [string, unknown])[]> {
  const entries = await database.auditEntry.findMany({
    where: { guildId: guild.row },
    orderBy: { id: 'asc' },
  })
  return entries.map(({ action, facts }) => [action, facts] as const)
}
