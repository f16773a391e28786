/**
 * Where the playground plays: two demo guilds with channels and members to switch between. Whoever
 * opens the page may be any of them, which the page says; it is a place to try things, with one
 * login for all. Their rows are made at start, so they can be named in commands at once. Where others
 * reach the page, nobody may be who runs the program by choosing so: a guild's weight takes from the
 * communities of other platforms. The settings can name one (OPERATORS=web:vera).
 */
import { z } from 'zod'
import {
  ensureGuild,
  ensureMember,
  type StoredGuild,
  type StoredMember,
} from '../../store/guilds.ts'
import type { Database } from '../../store/prisma.ts'
import type { NamedKind } from '../adapter.ts'
import { catalogues, localeFor, type MessageKey, words } from '../i18n.ts'

/** What somebody is in a demo guild; their only role has the same name. */
export type DemoRole = 'member' | 'moderator' | 'operator'

/** A member of a demo guild. */
export type DemoMember = StoredMember & { readonly name: MessageKey; readonly role: DemoRole }

/** A channel of a demo guild. */
export type DemoChannel = { readonly id: string; readonly name: MessageKey }

/** A demo guild; `id` is the platform's. */
export type DemoGuild = {
  readonly id: string
  readonly row: number
  readonly name: MessageKey
  readonly channels: readonly DemoChannel[]
  readonly members: readonly DemoMember[]
}

/** Who looks, from where. */
export type Visitor = {
  readonly guild: DemoGuild
  readonly channel: DemoChannel
  readonly member: DemoMember
}

const people = {
  mei: { name: 'web.member-mei', role: 'member' },
  jonas: { name: 'web.member-jonas', role: 'member' },
  amara: { name: 'web.member-amara', role: 'member' },
  lin: { name: 'web.member-lin', role: 'member' },
  ruth: { name: 'web.member-ruth', role: 'moderator' },
  tao: { name: 'web.member-tao', role: 'moderator' },
  vera: { name: 'web.member-vera', role: 'operator' },
} as const satisfies Readonly<Record<string, { name: MessageKey; role: DemoRole }>>

const demoGuilds: readonly {
  readonly id: string
  readonly name: MessageKey
  readonly channels: readonly DemoChannel[]
  readonly members: readonly (keyof typeof people)[]
}[] = [
  {
    id: 'fox-den',
    name: 'web.guild-fox-den',
    channels: [
      { id: 'pictures', name: 'web.channel-pictures' },
      { id: 'lounge', name: 'web.channel-lounge' },
    ],
    members: ['mei', 'jonas', 'ruth', 'vera'],
  },
  {
    id: 'workshop',
    name: 'web.guild-workshop',
    channels: [
      { id: 'sketches', name: 'web.channel-sketches' },
      { id: 'showcase', name: 'web.channel-showcase' },
    ],
    members: ['amara', 'lin', 'tao', 'vera'],
  },
]

/** The form of a name in a request; whether there is such a one is for `find` to say. */
export const placeName = z.string().regex(/^[a-z-]{1,32}$/)

/** The demo guilds, with the numbers of their rows. */
export class Place {
  readonly guilds: readonly DemoGuild[]

  private constructor(guilds: readonly DemoGuild[]) {
    this.guilds = guilds
  }

  /** Makes the rows that there are not yet; `isShared` is whether others than one's own reach it. */
  static async open(database: Database, { isShared }: { isShared: boolean }): Promise<Place> {
    const guilds: DemoGuild[] = []
    for (const { id, name, channels, members } of demoGuilds) {
      const guild = await ensureGuild(database, { platform: 'web', platformId: id })
      const stored: DemoMember[] = []
      for (const memberId of members) {
        const member = await storedMember(database, guild, memberId)
        stored.push(isShared && member.role === 'operator' ? { ...member, role: 'member' } : member)
      }
      guilds.push({ id, row: guild.row, name, channels, members: stored })
    }
    return new Place(guilds)
  }

  /** The guild that calls itself so on its platform. */
  guild(id: string): DemoGuild | undefined {
    return this.guilds.find((guild) => guild.id === id)
  }

  /** Who that is and where; none if there is no such guild, channel or member. */
  find(at: { guild: string; channel: string; member: string }): Visitor | undefined {
    const guild = this.guild(at.guild)
    const channel = guild?.channels.find(({ id }) => id === at.channel)
    const member = guild?.members.find(({ id }) => id === at.member)
    return guild && channel && member && { guild, channel, member }
  }
}

/**
 * The id of a channel or member of a guild by its id or by its name in any language, as the page shows
 * them. A member whom nobody knows and a role stay as they were typed: others say what is wrong.
 */
export function idOf(guild: DemoGuild, kind: NamedKind, said: string): string | undefined {
  if (kind === 'role') return said
  const typed = said.toLowerCase()
  const found = (kind === 'member' ? guild.members : guild.channels).find(
    ({ id, name }) => id === typed || everyWord(name).some((word) => word.toLowerCase() === typed),
  )
  return found?.id ?? (kind === 'member' ? said : undefined)
}

function everyWord(key: MessageKey): string[] {
  return Object.values(catalogues).map((catalogue) => catalogue[key])
}

async function storedMember(
  database: Database,
  guild: StoredGuild,
  id: keyof typeof people,
): Promise<DemoMember> {
  const { name, role } = people[id]
  // Until they speak, a name for those who say something of them.
  const say = words(localeFor(guild.locale))
  const member = await ensureMember(database, guild, { id, roleIds: [role], name: say(name) })
  return { ...member, name, role }
}
