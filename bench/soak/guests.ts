/**
 * The members of the playground, asking for pictures all the while: with the caps of their guilds
 * raised, and a quota that does not drain, so that balances stay comparable to the ledger.
 */
import { defaultSettings, settingRanges } from '../../src/core/guild.ts'
import { ensureGuild, saveSettings } from '../../src/store/guilds.ts'
import { setQuota } from '../../src/store/quota.ts'
import type { Database } from '../../src/store/prisma.ts'
import { places, say } from './visitor.ts'

/** More than a soak draws, over more years than there will be. */
const endless = { refillMicros: 1e10, windowMs: 9e15, hardCapMicros: 1e10 }

/** Lets the demo guilds ask for as much as there can be. */
export async function raiseCaps(database: Database): Promise<void> {
  const caps = ['memberQueued', 'guildQueued', 'memberPerMinute', 'guildPerMinute'] as const
  const most = Object.fromEntries(caps.map((cap) => [cap, settingRanges[cap].most]))
  for (const platformId of new Set(places.map(({ guild }) => guild))) {
    const guild = await ensureGuild(database, { platform: 'web', platformId })
    await saveSettings(database, guild, { ...defaultSettings, ...most }, Date.now())
    await setQuota(database, guild, { scope: 'everyone' }, endless)
    await setQuota(database, guild, { scope: 'guild' }, endless)
  }
}

/** Asks for one picture after another, each in the name of the next member. */
export class Guests {
  /** The invocations that were answered. */
  readonly accepted = new Set<string>()
  #asked = 0

  /** @returns whether somebody was there to answer */
  async ask(url: string, flags: string): Promise<boolean> {
    const place = places[this.#asked % places.length]!
    const nonce = await say(url, place, `a red fox in the snow ${flags} --seed ${this.#asked++}`)
    if (nonce !== undefined) this.accepted.add(`${place.member}/${nonce}`)
    return nonce !== undefined
  }
}
