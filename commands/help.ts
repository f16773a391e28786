/** `help`: examples to copy, and what works where. */
import { type Command, action } from '../src/chat/command.ts'
import { privately } from '../src/chat/message.ts'

const examples = ['draw', 'flags', 'style', 'edit', 'again', 'queue'] as const

/** Shows how to begin. */
export const help: Command = {
  name: 'help',
  actions: {
    '': action({
      verb: 'help',
      options: {},
      run: async ({ say, asked }) => {
        const { platform } = asked
        return privately({
          text: [
            say('help.about'),
            say('help.flags'),
            say('help.where', { platform }),
            say('help.privacy'),
          ].join('\n'),
          copy: examples.map((name) => ({
            label: say(`help.${name}.label`),
            text: say(`help.${name}.command`),
          })),
        })
      },
    }),
  },
}
