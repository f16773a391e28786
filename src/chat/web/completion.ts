/** What somebody may mean who has typed a beginning: a style, a job of theirs, a name of the place. */
import type { Database } from '../../store/prisma.ts'
import { stylesOf } from '../../store/styles.ts'
import { recentJobsOf } from '../../store/web-jobs.ts'
import type { MessageKey, Words } from '../i18n.ts'
import { presetKeys } from '../presets.ts'
import type { Visitor } from './place.ts'

/** A value to put in, and what it is called. */
export type Suggestion = { readonly value: string; readonly label: string }

/** What is completed. */
export type CompletedKind = 'style' | 'job' | 'member' | 'role' | 'channel'

const mostSuggestions = 10

/** What begins so, or is called something with it, at most ten. */
export async function suggestions(
  database: Database,
  visitor: Visitor,
  { kind, prefix }: { readonly kind: CompletedKind; readonly prefix: string },
  say: Words,
): Promise<Suggestion[]> {
  if (kind === 'job') return jobs(database, visitor, prefix)
  const { guild } = visitor
  const named = (each: { id: string; name: MessageKey }): Suggestion => ({
    value: each.id,
    label: say(each.name),
  })
  const all = {
    style: async () => [
      ...(await stylesOf(database, guild)).map(({ name }) => asSuggestion(name)),
      ...presetKeys.map((key) => asSuggestion(say(`styles.${key}.name`))),
    ],
    member: async () => guild.members.map(named),
    channel: async () => guild.channels.map(named),
    role: async () => [...new Set(guild.members.map(({ role }) => role))].map(asSuggestion),
  }
  const typed = prefix.toLowerCase()
  const isMeant = ({ value, label }: Suggestion): boolean =>
    value.toLowerCase().startsWith(typed) || label.toLowerCase().includes(typed)
  return (await all[kind]()).filter(isMeant).slice(0, mostSuggestions)
}

async function jobs(
  database: Database,
  { member }: Visitor,
  prefix: string,
): Promise<Suggestion[]> {
  const id = prefix.toLowerCase().replace(/^#/, '')
  if (!/^[0-9a-z]{0,10}$/.test(id)) return []
  const found = await recentJobsOf(database, member, id, mostSuggestions)
  return found.map((job) => ({ value: job.id, label: job.prompt.slice(0, 80).toWellFormed() }))
}

function asSuggestion(value: string): Suggestion {
  return { value, label: value }
}
