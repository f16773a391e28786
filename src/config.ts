/**
 * The settings, read once at start: the command line wins over the environment, the environment
 * over `.env`, `.env` over the defaults; an empty value counts as none. The only file that reads
 * `process.env`. All mistakes are found before any is reported, and none shows a secret.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parse } from 'dotenv'
import { z } from 'zod'

/** Variables by name, as the environment holds them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What is logged: the level and everything more severe. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** How weights are held: as published, or as float32. */
export type Precision = 'auto' | 'fp32'

/** The settings of one process; folders are absolute. What is undefined was not set. */
export type Config = {
  readonly dataDir: string
  readonly host: string
  readonly port: number
  readonly modelFolder: string
  /** Devices that `npm start` runs in its own process; 0 where workers run elsewhere. */
  readonly workers: number
  /** Processor threads of each runner; undefined leaves it to the runner. */
  readonly threads: number | undefined
  readonly precision: Precision
  /** Holds a password: never log it. */
  readonly databaseUrl: string | undefined
  readonly blobUrl: string
  readonly blobCredentials: BlobCredentials | undefined
  /** Who runs this house: `discord:ID`, `slack:TEAM/USER`, `web:ID`. */
  readonly operators: ReadonlySet<string>
  /** The guilds that are served, as `discord:42`; undefined: all. */
  readonly servedGuilds: ReadonlySet<string> | undefined
  /** What the page asks for before it lets anyone in; there is one if others can reach the page. */
  readonly webToken: string | undefined
  /** Signs and seals what leaves the house and comes back. */
  readonly secretKey: string | undefined
  /** Where a worker tells of its health; undefined: nowhere. */
  readonly healthPort: number | undefined
  /** A guild that removed the bot is forgotten after so many days. */
  readonly purgeDays: number
  /** How long jobs under way may take to end after SIGTERM. */
  readonly drainSeconds: number
  readonly logLevel: LogLevel
  /** Whether the log may tell what people wanted drawn. */
  readonly hasPromptsInLog: boolean
  /** Every secret among these, for whoever must keep them out of what is written. */
  readonly secrets: readonly string[]
}

/** The key to a bucket. */
export type BlobCredentials = { readonly accessKeyId: string; readonly secretAccessKey: string }

/** The variables we read; the locales state the rule of each with an example as `config.NAME`. */
export const variableNames = [
  'DATA_DIR',
  'HOST',
  'PORT',
  'WEB_TOKEN',
  'MODEL',
  'WORKERS',
  'THREADS',
  'PRECISION',
  'DATABASE_URL',
  'BLOB_URL',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'OPERATORS',
  'GUILDS',
  'SECRET_KEY',
  'HEALTH_PORT',
  'PURGE_DAYS',
  'DRAIN_SECONDS',
  'LOG_LEVEL',
  'LOG_PROMPTS',
] as const

/** The name of a setting. */
export type Variable = (typeof variableNames)[number]

/** Variables that hold a secret whole; those that end in `_URL` may hold one inside. */
const secretNames: ReadonlySet<Variable> = new Set([
  'WEB_TOKEN',
  'AWS_SECRET_ACCESS_KEY',
  'SECRET_KEY',
])

/**
 * A variable that does not hold what it should, and what it holds: `none` if it is not set though
 * others need it, stars for a secret.
 */
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
  const wrong = new Set(read.error?.issues.map(({ path }) => String(path[0])))
  for (const variable of missing(variables)) wrong.add(variable)
  if (!read.success || wrong.size > 0) {
    throw new ConfigError(
      variableNames
        .filter((variable) => wrong.has(variable))
        .map((variable) => ({ variable, got: shown(variable, variables[variable]) })),
    )
  }
  const { data } = read
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = data
  const hasKey = accessKeyId !== undefined && secretAccessKey !== undefined
  return {
    dataDir,
    host: data.HOST,
    port: data.PORT,
    modelFolder: data.MODEL,
    workers: data.WORKERS,
    threads: data.THREADS,
    precision: data.PRECISION,
    databaseUrl: data.DATABASE_URL,
    blobUrl: data.BLOB_URL ?? pathToFileURL(join(dataDir, 'blobs')).href,
    blobCredentials: hasKey ? { accessKeyId, secretAccessKey } : undefined,
    operators: data.OPERATORS,
    servedGuilds: data.GUILDS,
    webToken: data.WEB_TOKEN,
    secretKey: data.SECRET_KEY,
    healthPort: data.HEALTH_PORT,
    purgeDays: data.PURGE_DAYS,
    drainSeconds: data.DRAIN_SECONDS,
    logLevel: data.LOG_LEVEL,
    hasPromptsInLog: data.LOG_PROMPTS,
    secrets: secretsOf(variables),
  }
}

/** Whether only this machine can reach what is served at `host`. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host)
}

/** A URL without the password and the keys in it, to be shown; stars where it is none. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return stars(url)
  const { password, searchParams } = new URL(url)
  const telling = [...searchParams].filter(([name]) => /pass|secret|token|key/i.test(name))
  if (password === '' && telling.length === 0) return url
  const shownUrl = new URL(url)
  if (password !== '') shownUrl.password = '***'
  for (const [name] of telling) shownUrl.searchParams.set(name, '***')
  return shownUrl.href
}

/** The rules and defaults; a model's name is looked up in `dataDir` too. */
function settings(dataDir: string) {
  const wholeNumber = (least: number, most: number) =>
    z
      .string()
      .regex(/^\d{1,9}$/)
      .transform(Number)
      .refine((number) => number >= least && number <= most)
  return z.object({
    DATA_DIR: z.string().refine(canBeFolder).default('./data'),
    HOST: z.string().refine(isHost).default('127.0.0.1'),
    PORT: wholeNumber(0, 65_535).default(7860),
    WEB_TOKEN: secret(16).optional(),
    MODEL: z
      .string()
      .prefault('nano')
      .transform((model) => findModel(model, dataDir))
      .pipe(z.string()),
    WORKERS: wholeNumber(0, 16).default(1),
    THREADS: z
      .union([z.literal('auto').transform(() => undefined), wholeNumber(1, 256)])
      .prefault('auto'),
    PRECISION: z.enum(['auto', 'fp32']).default('auto'),
    DATABASE_URL: z.string().refine(isPostgresUrl).optional(),
    BLOB_URL: z.string().refine(isBlobUrl).optional(),
    AWS_ACCESS_KEY_ID: secret(3).optional(),
    AWS_SECRET_ACCESS_KEY: secret(3).optional(),
    OPERATORS: z.string().prefault('').transform(listed).refine(all(operatorForm)),
    GUILDS: z
      .union([
        z.literal('*').transform(() => undefined),
        z.string().transform(listed).refine(all(guildForm)),
      ])
      .prefault('*'),
    SECRET_KEY: secret(32).optional(),
    HEALTH_PORT: wholeNumber(0, 65_535).optional(),
    PURGE_DAYS: wholeNumber(1, 3_650).default(30),
    DRAIN_SECONDS: wholeNumber(0, 3_600).default(30),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    LOG_PROMPTS: z
      .enum(['yes', 'no'])
      .prefault('no')
      .transform((word) => word === 'yes'),
  })
}

/** What other settings make necessary and is not set. */
function missing(variables: Environment): Variable[] {
  const { HOST, BLOB_URL } = variables
  const needed: Variable[] = []
  if (HOST !== undefined && isHost(HOST) && !isLoopback(HOST)) needed.push('WEB_TOKEN')
  if (BLOB_URL?.startsWith('s3:')) needed.push('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY')
  return needed.filter((variable) => variables[variable] === undefined)
}

/** What a variable holds, as it may be shown to whoever looks over a shoulder. */
function shown(variable: Variable, value: string | undefined): string {
  if (value === undefined) return 'none'
  if (secretNames.has(variable)) return stars(value)
  return variable.endsWith('_URL') ? withoutPassword(value) : value
}

function stars(text: string): string {
  return '*'.repeat(Math.min(text.length, 16))
}

/** Passwords are found in both the form that a URL has them and the one that is typed. */
function secretsOf(variables: Environment): string[] {
  const whole = variableNames.filter((name) => secretNames.has(name)).map((n) => variables[n])
  const { password } = new URL(variables.DATABASE_URL ?? 'none:')
  const found = [...whole, password, decodeURIComponent(password)]
  return [...new Set(found.filter((text) => text !== undefined))].filter((text) => text !== '')
}

/** Visible ASCII: what a header, a URL and a form carry unchanged. */
function secret(least: number) {
  return z.string().regex(new RegExp(`^[\\x21-\\x7e]{${least},512}$`))
}

function listed(text: string): ReadonlySet<string> {
  return new Set(
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )
}

const operatorForm = /^(?:discord:\d{1,20}|slack:[A-Z0-9]{1,20}\/[A-Z0-9]{1,20}|web:[\w-]{1,40})$/
const guildForm = /^(?:discord:\d{1,20}|slack:[A-Z0-9]{1,20}|web:[\w-]{1,40})$/

function all(form: RegExp): (items: ReadonlySet<string> | undefined) => boolean {
  return (items) => [...(items ?? [])].every((item) => form.test(item))
}

function isPostgresUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, password } = new URL(text)
  return /^postgres(?:ql)?:$/.test(protocol) && !/%(?![\da-f]{2})/i.test(password)
}

/** `file:///FOLDER` or `s3://BUCKET/PREFIX?endpoint=URL&region=NAME`. */
function isBlobUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, searchParams } = new URL(text)
  // Careful: `file://data` would be a folder on the host `data`.
  if (protocol === 'file:') return hostname === ''
  const endpoint = searchParams.get('endpoint') ?? 'https:'
  return protocol === 's3:' && hostname !== '' && /^https?:/.test(endpoint)
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
