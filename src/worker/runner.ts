/**
 * A model in a child process, drawn from as if it were here: the pipeline's async generator, step
 * by step over IPC. Steps are taken one at a time in the order they were asked for, so two open
 * generations never hold the memory of two steps. A child that dies, for whatever reason, makes
 * every open and later generation reject; whoever wants to go on starts another runner.
 */
import { stat } from 'node:fs/promises'
import { type ErrorCode, UserError, isFault } from '../core/errors.ts'
import { Turns } from '../core/turns.ts'
import type {
  DrawOptions,
  ItemStep,
  ModelFacts,
  PictureSpec,
  Signals,
  Step,
} from '../engine/pipeline.ts'
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
    { signal, isFrugal }: DrawOptions & { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Step, void, undefined> {
    for await (const drawn of this.generateTogether([spec], { signals: [signal], isFrugal })) {
      if ('error' in drawn) throw drawn.error
      yield drawn.step
    }
  }

  /**
   * Draws as `Pipeline.generateTogether` does: up to 8 specs, each ended by its last picture or by
   * an error of its own, which for an aborted signal is the signal's reason. The grace time begins
   * when nobody is left; as long as somebody is, the child lives. Ends with the last of them.
   *
   * @throws {UserError} for all that have not ended: runner-crashed, runner-out-of-memory,
   *   runner-stopped
   */
  async *generateTogether(
    specs: readonly PictureSpec[],
    { signals = [], isFrugal }: DrawOptions & Signals = {},
  ): AsyncGenerator<ItemStep, void, undefined> {
    const id = ++this.#lastId
    const open = new Set(specs.keys())
    const leftByAll = new AbortController()
    const leave = (): void => {
      const leaving = [...open].filter((item) => signals[item]?.aborted)
      for (const item of leaving) this.#child.tell({ type: 'drop', id, item })
      if (leaving.length === open.size) leftByAll.abort()
    }
    this.#child.tell({ type: 'start', id, specs, options: { isFrugal } })
    for (const signal of signals) signal?.addEventListener('abort', leave, { once: true })
    leave()
    try {
      for (;;) {
        for (const item of open) {
          if (!signals[item]?.aborted) continue
          open.delete(item)
          yield { item, error: signals[item].reason }
        }
        if (open.size === 0) return
        const drawn = await this.#next(id, leftByAll.signal)
        // Whatever else came of one that was given up meanwhile, its caller asked for this.
        if (drawn === undefined || !open.has(drawn.item) || signals[drawn.item]?.aborted) continue
        if (isEnd(drawn, specs[drawn.item]!)) open.delete(drawn.item)
        yield drawn
      }
    } finally {
      for (const signal of signals) signal?.removeEventListener('abort', leave)
      // For whoever leaves early; the child knows when there is nothing left to end.
      this.#child.tell({ type: 'return', id })
    }
  }

  /** Ends the child and with it every open generation. */
  async close(): Promise<void> {
    await this.#child.stop()
  }

  /**
   * One step of generation `id`, once the steps asked for before are done; nothing if everybody has
   * left it by then.
   */
  async #next(id: number, leftByAll: AbortSignal): Promise<ItemStep | undefined> {
    try {
      const answer = await this.#ask(id, leftByAll)
      if (answer.type === 'step') return { item: answer.item, step: answer.step }
      if (answer.type !== 'error') throw new Error(`internal: next answered by ${answer.type}`)
      const error = errorOf(answer.error)
      if (answer.item === undefined) throw error
      return { item: answer.item, error }
    } catch (error) {
      // A kill, too, is what they asked for.
      if (leftByAll.aborted) return undefined
      throw error
    }
  }

  async #ask(id: number, leftByAll: AbortSignal): Promise<Answer> {
    const endTurn = await this.#turns.take(leftByAll)
    let overdue: NodeJS.Timeout | undefined
    const hurry = (): void => {
      overdue = setTimeout(() => void this.#child.kill(), this.#cancelGraceMs)
    }
    leftByAll.addEventListener('abort', hurry, { once: true })
    try {
      return await this.#child.ask({ type: 'next', id })
    } finally {
      clearTimeout(overdue)
      leftByAll.removeEventListener('abort', hurry)
      endTurn()
    }
  }
}

/** Whether nothing more comes of a spec. */
function isEnd(drawn: ItemStep, { count = 1 }: PictureSpec): boolean {
  if ('error' in drawn) return true
  return drawn.step.kind === 'picture' && drawn.step.index === count - 1
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
