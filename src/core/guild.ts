/**
 * A guild, the tenant, and what its moderators and operators may set for it: every setting with its
 * default and its range, and the rules of admission that are read off them.
 */
import { UserError } from './errors.ts'
import type { SpecLimits } from './job-spec.ts'
import { sideMultiple } from './size.ts'
import { waitFacts } from './wait.ts'

/** A guild; its id is the platform's, with the platform before it: `discord:42`. */
export type Guild = {
  readonly id: string
  readonly platform: string
  readonly locale: string
  readonly settings: GuildSettings
}

/** What moderators set as whole numbers; `weight` is for operators. */
export type NumberSettings = {
  /** Share of the devices, relative to other guilds. */
  readonly weight: number
  /** Jobs of one member that devices hold at once. */
  readonly memberInFlight: number
  /** Jobs of one member that wait beyond those. */
  readonly memberQueued: number
  /** Jobs of the whole guild that wait. */
  readonly guildQueued: number
  /** A job that would wait longer is refused. */
  readonly mostWaitMinutes: number
  /** Jobs that may be asked for in a minute. */
  readonly memberPerMinute: number
  readonly guildPerMinute: number
  /** Of one job. */
  readonly mostPictures: number
  readonly mostEvaluations: number
  /** The longest side in pixels, a multiple of 16, and the largest area. */
  readonly mostSide: number
  readonly mostPixels: number
  /** Days after which pictures are deleted. */
  readonly retentionDays: number
}

/** The name of a number that can be set. */
export type NumberSetting = keyof NumberSettings

/** Settings of a guild; channels are the platform's ids. */
export type GuildSettings = NumberSettings & {
  /** New jobs are refused, with `pauseReason` if there is one. */
  readonly isPaused: boolean
  readonly pauseReason: string
  /** Pictures on their way are shown. */
  readonly hasPreviews: boolean
  /** Pictures carry how they were made. */
  readonly hasRecipes: boolean
  /** If there are any, pictures may be asked for in these channels only. */
  readonly allowedChannels: readonly string[]
  /** Never in these, whatever else is allowed. */
  readonly deniedChannels: readonly string[]
}

/** The settings of a guild that has set nothing. */
export const defaultSettings: GuildSettings = {
  weight: 1,
  memberInFlight: 2,
  memberQueued: 4,
  guildQueued: 50,
  mostWaitMinutes: 15,
  memberPerMinute: 10,
  guildPerMinute: 60,
  mostPictures: 4,
  mostEvaluations: 50,
  mostSide: 2_048,
  mostPixels: 2_097_152,
  retentionDays: 30,
  isPaused: false,
  pauseReason: '',
  hasPreviews: true,
  hasRecipes: true,
  allowedChannels: [],
  deniedChannels: [],
}

/** From where to where a number can be set. */
export const settingRanges: Readonly<
  Record<NumberSetting, { readonly least: number; readonly most: number }>
> = {
  weight: { least: 1, most: 10 },
  memberInFlight: { least: 1, most: 50 },
  memberQueued: { least: 1, most: 1_000 },
  guildQueued: { least: 1, most: 10_000 },
  mostWaitMinutes: { least: 1, most: 1_440 },
  memberPerMinute: { least: 1, most: 1_000 },
  guildPerMinute: { least: 1, most: 10_000 },
  mostPictures: { least: 1, most: 8 },
  mostEvaluations: { least: 1, most: 200 },
  mostSide: { least: 256, most: 4_096 },
  mostPixels: { least: 262_144, most: 4_194_304 },
  retentionDays: { least: 1, most: 3_650 },
}

/** The longest reason for a pause, in UTF-16 units. */
export const reasonLimit = 200

/** The most channels in a list. */
export const channelsLimit = 500

/**
 * Settings as they were stored: what is absent has its default, what is out of range is brought in,
 * what is unknown is dropped, so that neither an older nor a newer version's rows stop a guild.
 */
export function readSettings(stored: Readonly<Record<string, unknown>>): GuildSettings {
  const numbers: { -readonly [name in NumberSetting]?: number } = {}
  for (const name of Object.keys(settingRanges).filter(isNumberSetting)) {
    const value = stored[name]
    if (typeof value === 'number' && !Number.isNaN(value)) numbers[name] = broughtIn(name, value)
  }
  const { isPaused, pauseReason, hasPreviews, hasRecipes } = stored
  return {
    ...defaultSettings,
    ...numbers,
    ...(typeof isPaused === 'boolean' && { isPaused }),
    ...(typeof pauseReason === 'string' && { pauseReason: pauseReason.slice(0, reasonLimit) }),
    ...(typeof hasPreviews === 'boolean' && { hasPreviews }),
    ...(typeof hasRecipes === 'boolean' && { hasRecipes }),
    allowedChannels: readChannels(stored.allowedChannels),
    deniedChannels: readChannels(stored.deniedChannels),
  }
}

/** Whether this is the name of a number that can be set. */
export function isNumberSetting(name: string): name is NumberSetting {
  return Object.hasOwn(settingRanges, name)
}

/** Settings with one number changed. @throws {UserError} setting-invalid, with the nearest one */
export function withSetting(
  settings: GuildSettings,
  name: NumberSetting,
  value: number,
): GuildSettings {
  const { least, most } = settingRanges[name]
  // Careful: NaN is nearest to nothing, and to be refused as well.
  const nearest = Number.isNaN(value) ? least : broughtIn(name, value)
  if (nearest !== value) {
    throw new UserError('setting-invalid', { setting: name, least, most, got: value, nearest })
  }
  return { ...settings, [name]: value }
}

/** What one job may be at most. */
export function specLimits({
  mostSide,
  mostPixels,
  mostPictures,
  mostEvaluations,
}: GuildSettings): SpecLimits {
  return { leastSide: 4 * sideMultiple, mostSide, mostPixels, mostPictures, mostEvaluations }
}

/** Whether pictures may be asked for here. @throws {UserError} guild-paused, channel-closed */
export function checkOpen(settings: GuildSettings, channel: string): void {
  const { isPaused, pauseReason, allowedChannels, deniedChannels } = settings
  if (isPaused) throw new UserError('guild-paused', { reason: pauseReason || 'none' })
  const isAllowed = allowedChannels.length === 0 || allowedChannels.includes(channel)
  if (!isAllowed || deniedChannels.includes(channel)) throw new UserError('channel-closed', {})
}

/** Jobs that have not ended, and when the first of them probably will. */
export type Waiting = {
  /** Queued or at a device. */
  readonly ofMember: number
  /** Queued. */
  readonly ofGuild: number
  readonly memberFreeInMs: number
  readonly guildFreeInMs: number
  /** How long the new job would probably wait. */
  readonly predictedMs: number
}

/**
 * Whether one more job may wait.
 *
 * @throws {UserError} member-queue-full, guild-queue-full, wait-too-long, with when to come back
 */
export function checkQueue(settings: GuildSettings, waiting: Waiting): void {
  const mostOfMember = settings.memberInFlight + settings.memberQueued
  if (waiting.ofMember >= mostOfMember) {
    const facts = { most: mostOfMember, ...waitFacts(waiting.memberFreeInMs) }
    throw new UserError('member-queue-full', facts)
  }
  if (waiting.ofGuild >= settings.guildQueued) {
    const facts = { most: settings.guildQueued, ...waitFacts(waiting.guildFreeInMs) }
    throw new UserError('guild-queue-full', facts)
  }
  const mostMs = settings.mostWaitMinutes * 60_000
  if (waiting.predictedMs > mostMs) {
    throw new UserError('wait-too-long', {
      mostMinutes: settings.mostWaitMinutes,
      ...waitFacts(waiting.predictedMs - mostMs),
    })
  }
}

/** The nearest value that can be set. */
function broughtIn(name: NumberSetting, value: number): number {
  const { least, most } = settingRanges[name]
  const whole = Math.min(most, Math.max(least, Math.round(value)))
  return name === 'mostSide' ? whole - (whole % sideMultiple) : whole
}

function readChannels(stored: unknown): string[] {
  if (!Array.isArray(stored)) return []
  return stored.filter((id) => typeof id === 'string').slice(0, channelsLimit)
}
