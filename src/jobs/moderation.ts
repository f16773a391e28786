/**
 * What moderators change about their guild. Each change is one transaction with nobody else's in
 * between, told to the leader, and written down with how it was and is; what changes nothing is not
 * written down. Whether somebody may is for the caller to check, by the verbs of `core/permission`.
 */
import type { Audited } from '../core/audit.ts'
import { UserError } from '../core/errors.ts'
import { channelsLimit, type GuildSettings, reasonLimit, withSetting } from '../core/guild.ts'
import { type SettingName, settingText, withTyped } from '../core/setting-text.ts'
import { publish } from '../queue/events.ts'
import {
  audit,
  lockGuild,
  saveLocale,
  saveSettings,
  type StoredGuild,
  type StoredMember,
} from '../store/guilds.ts'
import { type Database, inTransaction, type Transaction } from '../store/prisma.ts'

/** Who moderates which guild, and when. */
export type Moderating = {
  readonly database: Database
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly nowMs: number
}

/** With what a change is made: the guild as it is now. */
export type Changing = { readonly transaction: Transaction; readonly guild: StoredGuild }

/** What a change gives back, and what is written down of it. */
export type Change<Result> = { readonly result: Result; readonly audited?: Audited | undefined }

/** How something was, and how it is now. */
export type WasAndIs<Value> = { readonly was: Value; readonly is: Value }

/** Whether pictures may be asked for in a channel: said so, said not, or nothing said. */
export type ChannelState = 'allowed' | 'denied' | 'unset'

/** Makes a change that no other moderator's comes in between of, and writes it down. */
export async function moderate<Result>(
  { database, guild, member, nowMs }: Moderating,
  change: (changing: Changing) => Promise<Change<Result>>,
): Promise<Result> {
  return inTransaction(database, async (transaction) => {
    const current = await lockGuild(transaction, guild)
    const { result, audited } = await change({ transaction, guild: current })
    if (audited) await audit(transaction, { guild, member, nowMs, ...audited })
    return result
  })
}

/** Sets a setting as it was typed. @throws {UserError} setting-invalid, setting-not-offered */
export async function setSetting(
  moderating: Moderating,
  setting: SettingName,
  typed: string,
): Promise<WasAndIs<string>> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const changed = withTyped(guild, setting, typed)
    const was = settingText(guild, setting)
    const is = settingText(changed, setting)
    if (setting === 'locale') await saveLocale(transaction, guild, changed.locale)
    else await save(transaction, guild, changed.settings, moderating.nowMs)
    return {
      result: { was, is },
      audited: was === is ? undefined : { action: 'setting set', facts: { setting, was, is } },
    }
  })
}

/** Sets a guild's share of the devices. @throws {UserError} setting-invalid */
export async function setWeight(moderating: Moderating, weight: number): Promise<WasAndIs<number>> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const changed = withSetting(guild.settings, 'weight', weight)
    const facts = { was: guild.settings.weight, is: weight }
    await save(transaction, guild, changed, moderating.nowMs)
    return {
      result: facts,
      audited: facts.was === facts.is ? undefined : { action: 'weight set', facts },
    }
  })
}

/** Refuses new jobs from now on; those that wait go on. */
export async function pause(moderating: Moderating, reason: string): Promise<void> {
  const pauseReason = reason.slice(0, reasonLimit).toWellFormed()
  await moderate(moderating, async ({ transaction, guild }) => {
    const { isPaused, pauseReason: was } = guild.settings
    const changed = { ...guild.settings, isPaused: true, pauseReason }
    await save(transaction, guild, changed, moderating.nowMs)
    return {
      result: undefined,
      audited:
        isPaused && was === pauseReason
          ? undefined
          : { action: 'drawing paused', facts: { reason: pauseReason } },
    }
  })
}

/** Takes new jobs again. @returns whether drawing had been paused */
export async function resume(moderating: Moderating): Promise<boolean> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const { isPaused, pauseReason } = guild.settings
    const changed = { ...guild.settings, isPaused: false, pauseReason: '' }
    await save(transaction, guild, changed, moderating.nowMs)
    return {
      result: isPaused,
      audited: isPaused ? { action: 'drawing resumed', facts: { reason: pauseReason } } : undefined,
    }
  })
}

/** Says whether pictures may be asked for in a channel. @throws {UserError} channels-full */
export async function setChannel(
  moderating: Moderating,
  channel: string,
  is: ChannelState,
): Promise<WasAndIs<ChannelState> & { readonly settings: GuildSettings }> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const { allowedChannels, deniedChannels } = guild.settings
    const was = channelState(guild.settings, channel)
    const list = (channels: readonly string[], isIn: boolean): readonly string[] => [
      ...channels.filter((each) => each !== channel),
      ...(isIn ? [channel] : []),
    ]
    const settings = {
      ...guild.settings,
      allowedChannels: list(allowedChannels, is === 'allowed'),
      deniedChannels: list(deniedChannels, is === 'denied'),
    }
    const longest = Math.max(settings.allowedChannels.length, settings.deniedChannels.length)
    if (longest > channelsLimit) throw new UserError('channels-full', { limit: channelsLimit })
    await save(transaction, guild, settings, moderating.nowMs)
    return {
      result: { was, is, settings },
      audited: was === is ? undefined : { action: 'channel set', facts: { channel, was, is } },
    }
  })
}

/** Forgets all that was said about channels. @returns how many were in each list */
export async function resetChannels(
  moderating: Moderating,
): Promise<{ readonly allowed: number; readonly denied: number }> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const { allowedChannels, deniedChannels } = guild.settings
    const facts = { allowed: allowedChannels.length, denied: deniedChannels.length }
    const changed = { ...guild.settings, allowedChannels: [], deniedChannels: [] }
    await save(transaction, guild, changed, moderating.nowMs)
    return {
      result: facts,
      audited: facts.allowed + facts.denied === 0 ? undefined : { action: 'channels reset', facts },
    }
  })
}

function channelState(settings: GuildSettings, channel: string): ChannelState {
  if (settings.deniedChannels.includes(channel)) return 'denied'
  return settings.allowedChannels.includes(channel) ? 'allowed' : 'unset'
}

/** Stores settings and tells the leader, who orders jobs by some of them. */
async function save(
  transaction: Transaction,
  guild: StoredGuild,
  settings: GuildSettings,
  nowMs: number,
): Promise<void> {
  await saveSettings(transaction, guild, settings, nowMs)
  await publish({ type: 'guild', guild: String(guild.row) }, transaction)
}
