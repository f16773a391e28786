/** `imagine`: draws what is described, from nothing or over a picture. */
import { type Command, action } from '../src/chat/command.ts'
import { readWish, shapes, startFrom, submitted, unsaidIn } from '../src/chat/wishes.ts'
import { imagined } from '../src/core/wish.ts'

/** Draws what is described. */
export const imagine: Command = {
  name: 'imagine',
  actions: {
    '': action({
      verb: 'imagine',
      options: {
        prompt: { kind: 'prompt', isRequired: true },
        shape: { kind: 'choice', choices: shapes },
        count: { kind: 'integer', least: 1, most: 8 },
        seed: { kind: 'integer', least: 0, most: 2 ** 32 - 1 },
        style: { kind: 'style' },
        private: { kind: 'flag' },
        image: { kind: 'picture' },
      },
      run: async (context, { prompt, image, ...beside }) => {
        const said = readWish(prompt, beside)
        const unsaid = await unsaidIn(context)
        if (image === undefined) return submitted(context, imagined(said, unsaid))
        const { start } = await startFrom(context, image)
        const note = context.say('queued.from-picture')
        return submitted(context, imagined(said, unsaid, start), [note])
      },
    }),
  },
}
