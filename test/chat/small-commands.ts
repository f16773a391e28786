/**
 * A few commands for tests of how commands are said, read and run: one of each form. What they were
 * run with is kept. Their words are the plain names, and a few Chinese ones.
 */
import { action, type AnyAction, type Command, type Context } from '../../src/chat/command.ts'
import type { Labels } from '../../src/chat/labels.ts'
import { privately } from '../../src/chat/message.ts'

/** A run of a command. */
export type Run = {
  readonly path: string
  readonly context: Context
  readonly options: Readonly<Record<string, unknown>>
}

/** The commands, and what ran; `act` happens in each of them before it answers. */
export function smallCommands(act: (run: Run) => Promise<void> | void = () => undefined): {
  readonly commands: readonly Command[]
  readonly runs: Run[]
} {
  const runs: Run[] = []
  const runOf =
    (path: string): AnyAction['run'] =>
    async (context, options) => {
      const run = { path, context, options }
      runs.push(run)
      await act(run)
      return privately({ text: `${path} ${context.locale} ${context.rank}` })
    }
  const commands: Command[] = [
    {
      name: 'imagine',
      actions: {
        '': action({
          verb: 'imagine',
          options: {
            prompt: { kind: 'prompt', isRequired: true },
            shape: { kind: 'choice', choices: ['1:1', '16:9'] },
            count: { kind: 'integer', least: 1, most: 4 },
            private: { kind: 'flag' },
            style: { kind: 'style' },
          },
          run: runOf('imagine'),
        }),
      },
    },
    {
      name: 'edit',
      actions: {
        '': action({
          verb: 'edit',
          options: {
            instruction: { kind: 'text', mostCharacters: 500, isRequired: true },
            image: { kind: 'picture', isRequired: true },
            strength: { kind: 'number', least: 0.1, most: 1 },
          },
          run: runOf('edit'),
        }),
      },
    },
    {
      name: 'again',
      actions: {
        '': action({
          verb: 'again',
          options: { job: { kind: 'job' }, changes: { kind: 'text', mostCharacters: 200 } },
          run: runOf('again'),
        }),
      },
    },
    {
      name: 'queue',
      actions: {
        mine: action({ verb: 'queue own', options: {}, run: runOf('queue mine') }),
        cancel: action({
          verb: 'cancel own',
          options: { job: { kind: 'job', isRequired: true } },
          run: runOf('queue cancel'),
        }),
      },
    },
    { name: 'help', actions: { '': action({ verb: 'help', options: {}, run: runOf('help') }) } },
    {
      name: 'studio',
      actions: {
        'quota set': action({
          verb: 'studio quota',
          options: {
            member: { kind: 'member', isRequired: true },
            seconds: { kind: 'integer', least: 1, most: 1000, isRequired: true },
            reason: { kind: 'text', mostCharacters: 100 },
          },
          run: runOf('studio quota set'),
        }),
        pause: action({ verb: 'studio pause', options: {}, run: runOf('studio pause') }),
      },
    },
  ]
  return { commands, runs }
}

const chinese: Readonly<Record<string, string>> = {
  'imagine name': '\u753b\u56fe',
  'imagine prompt name': '\u63cf\u8ff0',
  'imagine count name': '\u6570\u91cf',
  'imagine shape name': '\u6bd4\u4f8b',
  'studio name': '\u5de5\u4f5c\u5ba4',
  'studio quota name': '\u989d\u5ea6',
  'studio quota set name': '\u8bbe\u7f6e',
}

/** Plain names. */
export const plainLabels: Labels = (path, ...rest) =>
  rest.at(-1) === 'name' ? (rest.at(-2) ?? path.split(' ').at(-1)!) : (rest.at(-1) ?? '')

/** Chinese names where there are some. */
export const chineseLabels: Labels = (path, ...rest) =>
  chinese[[path, ...rest].join(' ')] ?? plainLabels(path, ...rest)
