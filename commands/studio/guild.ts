/** The guild itself: its weight, pauses, channels and settings. */
import { action, type Context } from '../../src/chat/command.ts'
import type { MessageKey, Words } from '../../src/chat/i18n.ts'
import { privately, type Reply } from '../../src/chat/message.ts'
import { reasonLimit, settingRanges } from '../../src/core/guild.ts'
import {
  defaultText,
  rangeOf,
  type SettingName,
  settingNames,
  settingText,
} from '../../src/core/setting-text.ts'
import {
  type ChannelState,
  pause as pauseGuild,
  resetChannels,
  resume as resumeGuild,
  setChannel,
  setSetting,
  setWeight,
} from '../../src/jobs/moderation.ts'
import { moderatingOf } from './moderating.ts'

const weight = action({
  verb: 'studio weight',
  options: { weight: { kind: 'integer', ...settingRanges.weight, isRequired: true } },
  run: async (context, { weight }) =>
    privately({
      text: context.say('studio.weight', await setWeight(moderatingOf(context), weight)),
    }),
})

const pause = action({
  verb: 'studio pause',
  options: { reason: { kind: 'text', mostCharacters: reasonLimit } },
  run: async (context, { reason = '' }) => {
    await pauseGuild(moderatingOf(context), reason.trim())
    return privately({ text: context.say('studio.paused') })
  },
})

const resume = action({
  verb: 'studio pause',
  options: {},
  run: async (context) => {
    const wasPaused = await resumeGuild(moderatingOf(context))
    return privately({ text: context.say('studio.resumed', { was: wasPaused ? 'yes' : 'no' }) })
  },
})

const channelsList = action({
  verb: 'studio channels',
  options: {},
  run: ({ say, guild }) => {
    const { allowedChannels, deniedChannels } = guild.settings
    const items = [
      ...allowedChannels.map((title) => ({ title, text: say('studio.channel-allowed') })),
      ...deniedChannels.map((title) => ({ title, text: say('studio.channel-denied') })),
    ]
    const facts = { allowed: allowedChannels.length, denied: deniedChannels.length }
    return Promise.resolve(privately({ text: say('studio.channels', facts), items }))
  },
})

const channel = { kind: 'channel' } as const
const channelsAllow = action({
  verb: 'studio channels',
  options: { channel },
  run: (context, { channel }) => changeChannel(context, channel, 'allowed'),
})
const channelsDeny = action({
  verb: 'studio channels',
  options: { channel },
  run: (context, { channel }) => changeChannel(context, channel, 'denied'),
})

const channelsReset = action({
  verb: 'studio channels',
  options: { channel },
  run: async (context, { channel }) => {
    if (channel !== undefined) return changeChannel(context, channel, 'unset')
    const facts = await resetChannels(moderatingOf(context))
    return privately({ text: context.say('studio.channels-reset', facts) })
  },
})

const settingsShow = action({
  verb: 'studio settings',
  options: {},
  run: ({ say, guild }) => {
    const items = settingNames.map((name) => ({
      title: settingLabel(say, name),
      text: say('studio.setting', {
        value: settingValue(say, name, settingText(guild, name)),
        usual: name === 'locale' ? '' : settingValue(say, name, defaultText(name)),
        kind: name === 'locale' ? 'locale' : rangeOf(name) ? 'number' : 'choice',
        least: rangeOf(name)?.least ?? 0,
        most: rangeOf(name)?.most ?? 0,
      }),
    }))
    return Promise.resolve(privately({ text: say('studio.settings'), items }))
  },
})

const settingsSet = action({
  verb: 'studio settings',
  options: {
    setting: { kind: 'choice', choices: settingNames, isRequired: true },
    value: { kind: 'text', mostCharacters: 40, isRequired: true },
  },
  run: async (context, { setting, value }) => {
    const { say } = context
    const { was, is } = await setSetting(moderatingOf(context), setting, value)
    return privately({
      text: say('studio.setting-set', {
        setting: settingLabel(say, setting),
        was: settingValue(say, setting, was),
        is: settingValue(say, setting, is),
      }),
    })
  },
})

/** The actions about the guild itself. */
export const guildActions = {
  weight,
  pause,
  resume,
  'channels list': channelsList,
  'channels allow': channelsAllow,
  'channels deny': channelsDeny,
  'channels reset': channelsReset,
  'settings show': settingsShow,
  'settings set': settingsSet,
}

/** What a setting is called. */
export function settingLabel(say: Words, name: SettingName): string {
  const key: MessageKey = `commands.studio.settings.set.setting.${name}`
  return say(key)
}

/** What a setting is: yes, no, a language, or the number as it stands. */
export function settingValue(say: Words, name: SettingName, value: string): string {
  return rangeOf(name) ? value : say('studio.setting-value', { value: value.replace('-', '') })
}

async function changeChannel(
  context: Context,
  typed: string | undefined,
  state: ChannelState,
): Promise<Reply> {
  const channel = typed ?? context.asked.channel
  const { was, is, settings } = await setChannel(moderatingOf(context), channel, state)
  const allowed = settings.allowedChannels.length
  return privately({ text: context.say('studio.channel-set', { channel, was, is, allowed }) })
}
