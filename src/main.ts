/**
 * The command line: which command, in which language, and how it ends. Exit codes: 0 when
 * everything asked for was done, 2 for a mistake in the command, 130 and 143 after Ctrl+C and
 * SIGTERM, 1 for anything else.
 */
import { basename } from 'node:path'
import { type Role, start } from './app.ts'
import { errorSentence, localeFor, words } from './chat/i18n.ts'
import { readImagineArguments } from './cli/arguments.ts'
import { runDoctor } from './cli/doctor.ts'
import { imagine } from './cli/imagine.ts'
import { runBackup, runRestore } from './cli/operate.ts'
import { ConfigError, languageTag, readConfig, readEnvironment } from './config.ts'
import { type ErrorCode, UserError } from './core/errors.ts'
import { nearest } from './core/nearest.ts'

/** Why a command was cut short. */
class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: string, exitCode: number) {
    super(`interrupted by ${signal}`)
    this.exitCode = exitCode
  }
}

/** The first signal asks for an end in good order, the second one is the end. */
const interruption = new AbortController()
const signalCodes = { SIGINT: 130, SIGTERM: 143 } as const

for (const [signal, exitCode] of Object.entries(signalCodes)) {
  process.on(signal, () => {
    if (interruption.signal.aborted) process.exit(exitCode)
    interruption.abort(new Interrupted(signal, exitCode))
  })
}

const environment = readEnvironment()
const say = words(localeFor(languageTag(environment)))
const isDebug = environment.LOG_LEVEL === 'debug'

type Command = (args: readonly string[], signal: AbortSignal) => Promise<void>

const commands: Readonly<Record<string, Command>> = {
  start: (args, signal) => serve('start', args, signal),
  bot: (args, signal) => serve('bot', args, signal),
  worker: (args, signal) => serve('worker', args, signal),
  imagine: (args, signal) => imagine(readImagineArguments(args), { environment, say, signal }),
  backup: (args, signal) => runBackup(args, { environment, say, signal }),
  restore: (args, signal) => runRestore(args, { environment, say, signal }),
  doctor: async (args, signal) => {
    if (!(await runDoctor(args, { environment, say, signal }))) process.exitCode = 1
  },
}

/** Serves until a signal comes, which is how serving ends well, even before it has begun. */
async function serve(
  role: Role,
  [argument]: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (argument !== undefined) throw new UserError('argument-unexpected', { argument })
  const config = readConfig(environment)
  const app = await start(config, role, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  if (app === undefined) return
  const model = basename(config.modelFolder)
  console.log(app.url ? say('app.ready', { url: app.url }) : say('app.worker-ready', { model }))
  await aborted(signal)
  console.log(say('app.stopping'))
  await app.close()
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

async function run([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(say('cli.help'))
    return
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) {
    const likely = nearest(name, Object.keys(commands)) ?? 'none'
    throw new UserError('command-unknown', { command: name, nearest: likely })
  }
  await command(args, interruption.signal)
}

const mistakesInCommand: ReadonlySet<ErrorCode> = new Set([
  'command-unknown',
  'usage-wrong',
  'argument-unexpected',
  'option-unknown',
  'option-invalid',
  'option-value-missing',
  'prompt-missing',
  'spec-invalid',
])

/** Says what went wrong; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof Interrupted) {
    console.error(say('cli.cancelled'))
    return error.exitCode
  }
  if (error instanceof ConfigError) {
    console.error(say('config.mistakes', { count: error.mistakes.length }))
    for (const { variable, got } of error.mistakes) {
      console.error(`  ${say(`config.${variable}`, { got })}`)
    }
    return 1
  }
  if (isDebug) console.error(error)
  if (error instanceof UserError) {
    console.error(errorSentence(say, error))
    return mistakesInCommand.has(error.code) ? 2 : 1
  }
  console.error(
    say('cli.internal', { message: error instanceof Error ? error.message : String(error) }),
  )
  return 1
}

try {
  await run(process.argv.slice(2))
} catch (error) {
  process.exitCode = report(error)
}
