/** Members: who is blocked from drawing, who moderates too. */
import { action, type Context } from '../../src/chat/command.ts'
import { privately, type Reply } from '../../src/chat/message.ts'
import { reasonLimit } from '../../src/core/guild.ts'
import {
  block as blockMember,
  memberCalled,
  setModerator,
  unblock as unblockMember,
} from '../../src/jobs/people.ts'
import { moderatingOf } from './moderating.ts'

const member = { kind: 'member', isRequired: true } as const

const block = action({
  verb: 'studio block',
  options: {
    member,
    hours: { kind: 'integer', least: 1, most: 8_760 },
    reason: { kind: 'text', mostCharacters: reasonLimit },
  },
  run: async (context, { member, hours, reason = '' }) => {
    const target = await memberCalled(context.services.database, context.guild, member)
    await blockMember(moderatingOf(context), target, { hours, reason: reason.trim() })
    const facts = { name: target.name, hours: hours ?? 0 }
    return privately({ text: context.say('studio.blocked', facts) })
  },
})

const unblock = action({
  verb: 'studio block',
  options: { member },
  run: async (context, { member }) => {
    const target = await memberCalled(context.services.database, context.guild, member)
    await unblockMember(moderatingOf(context), target)
    return privately({ text: context.say('studio.unblocked', { name: target.name }) })
  },
})

const moderatorAdd = action({
  verb: 'studio moderator',
  options: { member },
  run: (context, { member }) => changeModerator(context, member, true),
})

const moderatorRemove = action({
  verb: 'studio moderator',
  options: { member },
  run: (context, { member }) => changeModerator(context, member, false),
})

/** The actions about members. */
export const peopleActions = {
  block,
  unblock,
  'moderator add': moderatorAdd,
  'moderator remove': moderatorRemove,
}

async function changeModerator(
  context: Context,
  typed: string,
  isModerator: boolean,
): Promise<Reply> {
  const target = await memberCalled(context.services.database, context.guild, typed)
  const isChange = await setModerator(moderatingOf(context), target, isModerator)
  return privately({
    text: context.say(isModerator ? 'studio.moderator-added' : 'studio.moderator-removed', {
      name: target.name,
      was: isChange ? 'other' : 'same',
    }),
  })
}
