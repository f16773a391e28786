/**
 * What moderators have answered, told to whom it concerns the next time they speak to us: they may
 * have left the channel since, and nobody is pinged. Told once.
 */
import type { StoredGuild, StoredMember } from '../store/guilds.ts'
import { type Notice, takeNotices } from '../store/reports.ts'
import { printAction } from './action.ts'
import type { Words } from './i18n.ts'
import { type Item, privately, type Reply } from './message.ts'
import type { Services } from './services.ts'

/** A private message with what a member has not been told, which counts as told from now on. */
export async function noticeReplies(
  { database }: Pick<Services, 'database'>,
  { guild, member }: { readonly guild: StoredGuild; readonly member: StoredMember },
  say: Words,
): Promise<Reply[]> {
  const notices = await takeNotices(database, guild, member)
  if (notices.length === 0) return []
  const items = notices.map((notice) => noticeItem(say, notice))
  return [privately({ text: say('notice.answered'), items })]
}

/** A notice in words; an appeal that was upheld comes with the button that draws. */
function noticeItem(say: Words, notice: Notice): Item {
  const { kind, state, id, jobId, picture, rule, answer } = notice
  const hasWon = kind === 'appeal' && state === 'upheld'
  return {
    title: say('notice.told', { kind, state, job: jobId, picture, rule }),
    ...(answer !== '' && { text: say('notice.answer', { answer }) }),
    ...(hasWon && {
      buttons: [
        { label: say('notice.draw'), action: printAction('draw', id), style: 'primary' as const },
      ],
    }),
  }
}
