/**
 * The settings, read once at start: the command line wins over the environment, the environment
 * over `.env`, `.env` over the defaults; an empty value counts as none. The only file that reads
 * `process.env`. All mistakes are found before any is reported.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'dotenv'
import { z } from 'zod'

/** Variables by name, as the environment holds them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What is logged: the level and everything more severe. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** The settings of one process; folders are absolute. */
export type Config = {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly modelFolder: string
  readonly logLevel: LogLevel
}

/** The variables we read; the locales state the rule of each with an example as `config.NAME`. */
export const variableNames = ['DATA_DIR', 'HOST', 'PORT', 'MODEL', 'LOG_LEVEL'] as const

/** The name of a setting. */
export type Variable = (typeof variableNames)[number]

/** A variable that does not hold what it should, and what it holds. */
export type Mistake = { readonly variable: Variable; readonly got: string }

/** Every mistake in the settings at once. */
export class ConfigError extends Error {
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(`config: ${mistakes.map(({ variable, got }) => `${variable} got "${got}"`).join(', ')}`)
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

/** Reads the environment and the `.env` of `folder`, which it need not have. */
export function readEnvironment(folder: string = process.cwd()): Environment {
  return { ...readDotenv(join(folder, '.env')), ...withoutEmpty(process.env) }
}

/** What a child process needs of the environment: the system's own, libraries and devices. */
const passedOn =
  /^(?:NODE_OPTIONS|PATH|HOME|TMPDIR|TEMP|TMP|SYSTEMROOT|LANG|LC_\w+|LD_LIBRARY_PATH|OMP_\w+|ORT_\w+|CUDA_\w+|NVIDIA_\w+|VK_\w+)$/i

/**
 * The environment of the process that holds the model. Tokens and keys stay out of it: it reads
 * pictures that strangers send.
 */
export function modelEnvironment(): Record<string, string | undefined> {
  const passed = Object.entries(process.env).filter(([name]) => passedOn.test(name))
  // glibc would keep a closed session's weights; with a fixed threshold it gives the memory back.
  return { ...Object.fromEntries(passed), MALLOC_TRIM_THRESHOLD_: '131072' }
}

/** The language that the environment asks for, such as `zh_CN.UTF-8`. */
export function languageTag(environment: Environment): string | undefined {
  return environment.LC_ALL ?? environment.LC_MESSAGES ?? environment.LANG
}

/** Checks the settings, with `given` from the command line. @throws {ConfigError} */
export function readConfig(
  environment: Environment,
  given: { readonly MODEL?: string | undefined } = {},
): Config {
  const variables = withoutEmpty({ ...environment, ...withoutEmpty(given) })
  const dataDir = resolve(variables.DATA_DIR ?? './data')
  const read = settings(dataDir).safeParse(variables)
  if (!read.success) {
    const wrong = new Set(read.error.issues.map(({ path }) => String(path[0])))
    throw new ConfigError(
      variableNames
        .filter((variable) => wrong.has(variable))
        .map((variable) => ({ variable, got: variables[variable] ?? '' })),
    )
  }
  const { HOST: host, PORT: port, MODEL: modelFolder, LOG_LEVEL: logLevel } = read.data
  return { dataDir, host, port, modelFolder, logLevel }
}

/** The rules and defaults; a model's name is looked up in `dataDir` too. */
function settings(dataDir: string) {
  return z.object({
    DATA_DIR: z.string().refine(canBeFolder).default('./data'),
    HOST: z.string().refine(isHost).default('127.0.0.1'),
    PORT: z
      .string()
      .regex(/^\d{1,5}$/)
      .transform(Number)
      .refine((port) => port <= 65535)
      .default(7860),
    MODEL: z
      .string()
      .prefault('nano')
      .transform((model) => findModel(model, dataDir))
      .pipe(z.string()),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  })
}

/** The folder of a model, by name (ours first, then the member's own) or by path. */
function findModel(model: string, dataDir: string): string | undefined {
  const ours = fileURLToPath(new URL('../models', import.meta.url))
  const isName = /^[\w][\w.-]*$/.test(model)
  const places = isName ? [join(ours, model), join(dataDir, 'models', model)] : []
  return [...places, resolve(model)].find((folder) => isFolder(folder))
}

/** Whether `folder` is one, or nothing that stands in its way. */
function canBeFolder(folder: string): boolean {
  return !existsSync(folder) || isFolder(folder)
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A name or an address alone: `localhost:80` would be looked up as a name that does not exist. */
function isHost(host: string): boolean {
  return isIP(host) !== 0 || /^[\w.-]+$/.test(host)
}

function readDotenv(file: string): Environment {
  if (!existsSync(file)) return {}
  return withoutEmpty(parse(readFileSync(file)))
}

/** `PORT=` in a file or a shell means: not set. */
function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value))
}
