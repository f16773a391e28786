/** `styles`: the presets and the guild's own, each with an example. */
import { type Command, action } from '../src/chat/command.ts'
import { cut } from '../src/chat/job-words.ts'
import { type Item, privately } from '../src/chat/message.ts'
import { presetKeys } from '../src/chat/presets.ts'
import { styled } from '../src/core/style.ts'
import { stylesOf } from '../src/store/styles.ts'

const mostShown = 40
const mostCharacters = 200

/** Lists the styles. */
export const styles: Command = {
  name: 'styles',
  actions: {
    '': action({
      verb: 'styles',
      options: {},
      run: async ({ say, guild, services }) => {
        const own = await stylesOf(services.database, guild)
        const prompt = say('styles.example')
        const item = (name: string, words: string): Item => ({
          title: name,
          text: cut(say('styles.item', { words, prompt, name }), mostCharacters),
        })
        const guilds = own.slice(0, mostShown)
        const presets = presetKeys.filter((key) => own.every(({ name }) => name !== key))
        return privately({
          text: say('styles.about', { own: own.length, shown: guilds.length }),
          items: [
            ...guilds.map((style) => item(style.name, styled({ prompt }, style).prompt)),
            ...presets.map((key) =>
              item(say(`styles.${key}.name`), say(`styles.${key}.template`, { prompt })),
            ),
          ],
        })
      },
    }),
  },
}
