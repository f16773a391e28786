/** `settings`: a member's own: language, what jobs begin with, consent. Shows them when none is given. */
import { type Command, type Context, action } from '../src/chat/command.ts'
import { words } from '../src/chat/i18n.ts'
import { privately } from '../src/chat/message.ts'
import { stylesBeside } from '../src/chat/presets.ts'
import { shapes } from '../src/chat/wishes.ts'
import { findStyle } from '../src/core/style.ts'
import { readPreferences } from '../src/core/wish.ts'
import { findMember, saveMember } from '../src/store/guilds.ts'
import { stylesOf } from '../src/store/styles.ts'

/** What is said for a style to have none. */
const noStyle = new Set(['none', '-', '\u65e0'])

/** Shows and changes what a member has set. */
export const settings: Command = {
  name: 'settings',
  actions: {
    '': action({
      verb: 'settings',
      options: {
        language: { kind: 'choice', choices: ['en-US', 'zh-CN', 'auto'] },
        shape: { kind: 'choice', choices: ['auto', ...shapes] },
        count: { kind: 'integer', least: 1, most: 8 },
        style: { kind: 'style' },
        consent: { kind: 'flag' },
      },
      run: async (context, { language, shape, count, style, consent }) => {
        const { member, services } = context
        const chosen = style === undefined ? undefined : await styleKey(context, style)
        const {
          shape: oldShape,
          count: oldCount,
          style: oldStyle,
        } = readPreferences(member.defaults)
        const newShape = shape === undefined ? oldShape : shape === 'auto' ? undefined : shape
        const newCount = count ?? oldCount
        const newStyle = chosen === undefined ? oldStyle : chosen === '' ? undefined : chosen
        const isChanged = [language, shape, count, style, consent].some((it) => it !== undefined)
        const changed = {
          ...(language !== undefined && { locale: language === 'auto' ? undefined : language }),
          ...(consent !== undefined && { isEditConsented: consent }),
          defaults: {
            ...(newShape !== undefined && { shape: newShape }),
            ...(newCount !== undefined && { count: newCount }),
            ...(newStyle !== undefined && { style: newStyle }),
          },
        }
        if (isChanged) await saveMember(services.database, member, changed)
        // Whoever has just changed the language is answered in it.
        const spoken = language === undefined || language === 'auto' ? context.locale : language
        return shown({ ...context, say: words(spoken), locale: spoken }, isChanged)
      },
    }),
  },
}

/** The key of a style, empty for none. @throws {UserError} style-unknown */
async function styleKey({ services, guild }: Context, typed: string): Promise<string> {
  if (noStyle.has(typed.trim().toLowerCase())) return ''
  const own = await stylesOf(services.database, guild)
  return findStyle(typed, stylesBeside(own)('')).key
}

async function shown({ say, guild, member, services }: Context, isChanged: boolean) {
  const { locale, isEditConsented, defaults } =
    (await findMember(services.database, guild, member.id)) ?? member
  const { shape, count, style } = readPreferences(defaults)
  const { mostPictures, mostSide, memberPerMinute, retentionDays } = guild.settings
  const lines = [
    say(isChanged ? 'settings.changed' : 'settings.yours'),
    say('settings.language', { language: languageOf(locale), guild: languageOf(guild.locale) }),
    say('settings.shape', { shape: shape ?? 'auto' }),
    say('settings.count', { count: count ?? 1 }),
    say('settings.style', { style: style ?? 'none' }),
    say('settings.consent', { consent: isEditConsented ? 'yes' : 'no' }),
    say('settings.guild', { mostPictures, mostSide, memberPerMinute, retentionDays }),
  ]
  return privately({ text: lines.join('\n') })
}

function languageOf(locale = 'auto'): string {
  return locale.split('-')[0]!
}
