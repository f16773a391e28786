/**
 * Puts the house together: one model in one runner, one page. Draws wait in line and are drawn one
 * at a time; a runner that crashed is replaced by the next draw that needs one.
 */
import { serveWeb } from './chat/web/server.ts'
import type { Config, LogLevel } from './config.ts'
import { UserError } from './core/errors.ts'
import { Turns } from './core/turns.ts'
import type { PictureSpec, Step } from './engine/pipeline.ts'
import { Runner } from './worker/runner.ts'

/** How many draws may wait; each holds its spec and a connection. */
const maxWaiting = 64

/** The house at work. */
export type App = {
  /** Where the page is. */
  readonly url: string
  /** Ends what is being drawn, then everything else in reverse order. */
  readonly close: () => Promise<void>
}

/**
 * Loads the model and serves the page. A start that fails leaves nothing behind.
 *
 * @throws {UserError} port-taken, listen-failed, and what `Runner.start` throws
 */
export async function start(config: Config, signal?: AbortSignal): Promise<App> {
  const log = logger(config.logLevel)
  const model = new Model(config.modelFolder, log)
  try {
    // Before the page: a model that cannot be used is told here, not to the first who wants to draw.
    await model.runner(signal)
    const { host, port } = config
    const page = await serveWeb({
      host,
      port,
      draw: (spec, cancel) => model.draw(spec, cancel),
      facts: async () => (await model.runner()).facts,
      log: (line) => log('error', line),
    })
    const close = async (): Promise<void> => {
      model.refuse()
      await page.close()
      await model.close()
    }
    return { url: page.url, close }
  } catch (error) {
    await model.close()
    throw error
  }
}

type Log = (level: LogLevel, text: string) => void

/** The model in use, whichever runner holds it. */
class Model {
  readonly #folder: string
  readonly #log: Log
  readonly #turns = new Turns()
  readonly #closing = new AbortController()
  #runner: Promise<Runner> | undefined

  constructor(folder: string, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  /** The runner, started anew when there is none. */
  runner(signal?: AbortSignal): Promise<Runner> {
    this.#runner ??= this.#start(signal)
    return this.#runner
  }

  async #start(signal: AbortSignal = this.#closing.signal): Promise<Runner> {
    const forget = (): void => {
      this.#runner = undefined
    }
    try {
      const runner = await Runner.start({
        modelFolder: this.#folder,
        signal,
        log: (text) => this.#log('debug', text),
      })
      void runner.exited.then(forget)
      return runner
    } catch (error) {
      forget()
      throw error
    }
  }

  /** Draws when all who came before are done. @throws {UserError} busy, and the runner's */
  async *draw(spec: PictureSpec, cancel: AbortSignal): AsyncGenerator<Step, void, undefined> {
    const { waiting } = this.#turns
    if (waiting >= maxWaiting) throw new UserError('busy', { waiting })
    const signal = AbortSignal.any([cancel, this.#closing.signal])
    const endTurn = await this.#turns.take(signal)
    try {
      const runner = await this.runner()
      yield* runner.generate(spec, { signal })
    } finally {
      endTurn()
    }
  }

  /** Ends every draw, whether it waits or is under way. */
  refuse(): void {
    this.#closing.abort(new UserError('runner-stopped', {}))
  }

  async close(): Promise<void> {
    this.refuse()
    const runner = await this.#runner?.catch(() => undefined)
    await runner?.close()
  }
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Writes what is severe enough to stderr. */
function logger(threshold: LogLevel): Log {
  return (level, text) => {
    if (levels.indexOf(level) >= levels.indexOf(threshold)) console.error(`${level}: ${text}`)
  }
}
