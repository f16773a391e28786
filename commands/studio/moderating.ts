/** What the moderators' actions have in common: who moderates, and pages of long lists. */
import { type ActionVerb, printAction } from '../../src/chat/action.ts'
import type { Context } from '../../src/chat/command.ts'
import type { Words } from '../../src/chat/i18n.ts'
import type { Button, Message } from '../../src/chat/message.ts'
import type { Moderating } from '../../src/jobs/moderation.ts'

/** The option that turns pages. */
export const pageOption = { kind: 'integer', least: 1, most: 100_000 } as const

/** Who moderates, for the floor below. */
export function moderatingOf({ services, guild, member, nowMs }: Context): Moderating {
  return { database: services.database, guild, member, nowMs }
}

/** Buttons to the pages before and after, as far as there are any. */
export function pageButtons(
  say: Words,
  verb: ActionVerb,
  { page, pages }: { readonly page: number; readonly pages: number },
): Pick<Message, 'buttons'> {
  const to = (label: string, page: number): Button => ({
    label,
    action: printAction(verb, page),
    style: 'plain',
  })
  const buttons = [
    ...(page > 1 ? [to(say('studio.page-before'), Math.min(page - 1, pages))] : []),
    ...(page < pages ? [to(say('studio.page-after'), page + 1)] : []),
  ]
  return buttons.length > 0 ? { buttons: [buttons] } : {}
}
