/**
 * A model in a child process, drawn from as if it were here: the pipeline's async generator, step
 * by step over IPC. Steps are taken one at a time in the order they were asked for, so two open
 * generations never hold the memory of two steps. A child that dies, for whatever reason, makes
 * every open and later generation reject; whoever wants to go on starts another runner.
 */
import { stat } from 'node:fs/promises'
import { type ErrorCode, UserError, isFault } from '../core/errors.ts'
import { Turns } from '../core/turns.ts'
import type { ModelFacts, PictureSpec, Step } from '../engine/pipeline.ts'
import { RunnerChild, tellsOutOfMemory } from './runner-child.ts'
import type { Answer, Failure, ModelOptions } from './runner-protocol.ts'

/** Where the model is, how it is opened, and how its runner behaves. */
export type RunnerOptions = ModelOptions & {
  readonly modelFolder: string
  /** How long a cancelled step may take to stop before the child is killed; 5,000 by default. */
  readonly cancelGraceMs?: number
  /** Gives up the start. */
  readonly signal?: AbortSignal
  /** Hears what the child writes on stderr; meant for the debug log. */
  readonly log?: (text: string) => void
}

/** A loaded model in its own process. */
export class Runner {
  readonly facts: ModelFacts
  /** The child's process id. */
  readonly pid: number
  /** Settles when the child is gone, whatever ended it; never rejects. */
  readonly exited: Promise<void>
  readonly #child: RunnerChild
  readonly #cancelGraceMs: number
  readonly #turns = new Turns()
  #lastId = 0

  private constructor(child: RunnerChild, facts: ModelFacts, cancelGraceMs: number) {
    this.facts = facts
    this.pid = child.pid
    this.exited = child.exited
    this.#child = child
    this.#cancelGraceMs = cancelGraceMs
  }

  /**
   * Starts the child and loads the model; a start that fails leaves no process behind.
   *
   * @throws {UserError} model-missing, runner-start-failed, runner-crashed, runner-out-of-memory,
   *   or the engine's own code for a model that cannot be used
   */
  static async start(options: RunnerOptions): Promise<Runner> {
    const { modelFolder, cancelGraceMs = 5000, signal, log = () => {}, ...modelOptions } = options
    const isThere = await isFolder(modelFolder)
    if (!isThere) throw new UserError('model-missing', { folder: modelFolder })
    signal?.throwIfAborted()
    const child = new RunnerChild(log)
    const giveUp = (): void => void child.kill()
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      const open = { type: 'open', id: 0, folder: modelFolder, options: modelOptions } as const
      const answer = await child.ask(open)
      if (answer.type === 'error') throw startErrorOf(answer.error)
      if (answer.type !== 'ready') throw new Error(`internal: open answered by ${answer.type}`)
      return new Runner(child, answer.facts, cancelGraceMs)
    } catch (error) {
      await child.kill()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * Draws as `Pipeline.generate` does. An aborted signal ends it with the signal's reason; a step
   * that does not stop within the grace time takes the child with it.
   *
   * @throws {UserError} the engine's codes, runner-crashed, runner-out-of-memory, runner-stopped
   */
  async *generate(
    spec: PictureSpec,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Step, void, undefined> {
    signal?.throwIfAborted()
    const id = ++this.#lastId
    this.#child.tell({ type: 'start', id, spec })
    try {
      for (;;) {
        const answer = await this.#next(id, signal)
        if (answer.type === 'done') return
        if (answer.type === 'error') throw errorOf(answer.error)
        if (answer.type === 'ready') throw new Error('internal: next answered by ready')
        yield answer.step
      }
    } finally {
      // For whoever leaves early; the child knows when there is nothing left to end.
      this.#child.tell({ type: 'return', id })
    }
  }

  /** Ends the child and with it every open generation. */
  async close(): Promise<void> {
    await this.#child.stop()
  }

  /** One step of generation `id`, once the steps asked for before are done. */
  async #next(id: number, signal: AbortSignal | undefined): Promise<Answer> {
    const endTurn = await this.#turns.take(signal)
    let overdue: NodeJS.Timeout | undefined
    const cancel = (): void => {
      this.#child.tell({ type: 'return', id })
      overdue = setTimeout(() => void this.#child.kill(), this.#cancelGraceMs)
    }
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await this.#child.ask({ type: 'next', id })
    } finally {
      clearTimeout(overdue)
      signal?.removeEventListener('abort', cancel)
      endTurn()
      // Whatever came of a cancelled step, a kill included, its caller asked for this reason.
      signal?.throwIfAborted()
    }
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

/** An error of the child, put together again. */
function errorOf(failure: Failure): Error {
  if (failure.kind === 'engine') {
    const fault = [failure.code satisfies ErrorCode, failure.params] as const
    if (isFault(fault)) return new UserError(...fault)
    return new Error(`internal: ${failure.code} came without its facts`)
  }
  const error = new Error(failure.message)
  error.stack = failure.stack
  if (!tellsOutOfMemory(failure.message)) return error
  return new UserError('runner-out-of-memory', {}, { cause: error })
}

/** The same for a start: whatever else is wrong, the model could not be loaded. */
function startErrorOf(failure: Failure): UserError {
  const error = errorOf(failure)
  if (error instanceof UserError) return error
  return new UserError('runner-start-failed', { reason: error.message }, { cause: error })
}
