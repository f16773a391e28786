/** The lists that moderators keep: words that are not drawn, styles of the guild's own. */
import { action } from '../../src/chat/command.ts'
import { privately } from '../../src/chat/message.ts'
import { type Hit, wordLimit } from '../../src/core/moderation.ts'
import { nameLimit, templateLimit } from '../../src/core/style.ts'
import { addPreset, addRule, removePreset, removeRule } from '../../src/jobs/lists.ts'
import { wordListOf } from '../../src/jobs/word-lists.ts'
import { wordsOf } from '../../src/store/guilds.ts'
import { moderatingOf, pageButtons, pageOption } from './moderating.ts'

const wordsOfPage = 50
const excerptLength = 24
const word = { kind: 'text', mostCharacters: 2 * wordLimit, isRequired: true } as const

const wordsList = action({
  verb: 'studio words',
  options: { page: pageOption },
  run: async ({ say, services, guild }, { page = 1 }) => {
    const words = await wordsOf(services.database, guild)
    const pages = Math.ceil(words.length / wordsOfPage)
    const shown = words.slice((page - 1) * wordsOfPage, page * wordsOfPage)
    return privately({
      text: say('studio.words', { count: words.length, page, pages }),
      ...(shown.length > 0 && { quote: shown.join('\n') }),
      ...pageButtons(say, 'words-page', { page, pages }),
    })
  },
})

const wordsAdd = action({
  verb: 'studio words',
  options: { word },
  run: async (context, options) => {
    const { word, isNew } = await addRule(moderatingOf(context), options.word)
    const facts = { word, was: isNew ? 'other' : 'same' }
    return privately({ text: context.say('studio.word-added', facts) })
  },
})

const wordsRemove = action({
  verb: 'studio words',
  options: { word },
  run: async (context, options) => {
    const word = await removeRule(moderatingOf(context), options.word)
    return privately({ text: context.say('studio.word-removed', { word }) })
  },
})

const wordsTest = action({
  verb: 'studio words',
  options: { text: { kind: 'text', mostCharacters: 2_000, isRequired: true } },
  run: async ({ say, services, guild, nowMs }, { text }) => {
    const list = await wordListOf(services.database, guild, nowMs)
    const hits = list.hits(text)
    const items = hits.slice(0, 20).map((hit) => ({
      title: say('studio.words-rule', { rule: hit.rule }),
      text: excerpt(text, hit),
    }))
    return privately({ text: say('studio.words-tested', { hits: hits.length }), items })
  },
})

const stylesAdd = action({
  verb: 'studio styles',
  options: {
    style: { kind: 'text', mostCharacters: nameLimit, isRequired: true },
    template: { kind: 'text', mostCharacters: templateLimit, isRequired: true },
    avoid: { kind: 'text', mostCharacters: templateLimit },
  },
  run: async (context, { style, template, avoid = '' }) => {
    const added = { name: style, template: template.trim(), negativePrompt: avoid.trim() }
    const { was, is } = await addPreset(moderatingOf(context), added)
    return privately({
      text: context.say('studio.style-added', { style: is.name, was: was ? 'other' : 'none' }),
      ...(was && { quote: was.template }),
    })
  },
})

const stylesRemove = action({
  verb: 'studio styles',
  options: { style: { kind: 'text', mostCharacters: nameLimit, isRequired: true } },
  run: async (context, options) => {
    const { name, template } = await removePreset(moderatingOf(context), options.style)
    return privately({
      text: context.say('studio.style-removed', { style: name }),
      quote: template,
    })
  },
})

/** The actions about lists. */
export const listActions = {
  'words list': wordsList,
  'words add': wordsAdd,
  'words remove': wordsRemove,
  'words test': wordsTest,
  'styles add': stylesAdd,
  'styles remove': stylesRemove,
}

/** Where a rule hits: the words between brackets, with what stands around them. */
function excerpt(text: string, { start, end }: Hit): string {
  const from = Math.max(0, start - excerptLength)
  const before = (from > 0 ? '…' : '') + text.slice(from, start)
  const after =
    text.slice(end, end + excerptLength) + (end + excerptLength < text.length ? '…' : '')
  return `${before}【${text.slice(start, end)}】${after}`.toWellFormed().replaceAll('\uFFFD', '')
}
