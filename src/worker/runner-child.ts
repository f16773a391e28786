/**
 * The runner's process seen from its parent: requests and their answers, its last words, its death.
 * Whoever waits for an answer gets one or the reason why none will come.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { modelEnvironment } from '../config.ts'
import { UserError } from '../core/errors.ts'
import type { Answer, Request } from './runner-protocol.ts'

/** How much of the child's output is kept to explain its death. */
const lastWordsLimit = 8 * 1024

/** What a process without memory says before it ends, or onnxruntime in an error. */
const outOfMemory = /heap out of memory|Failed to allocate memory|bad_alloc|Allocation failed/i

/** Whether a text tells of memory that could not be had. */
export function tellsOutOfMemory(text: string): boolean {
  return outOfMemory.test(text)
}

/** A child process that speaks the runner's protocol. */
export class RunnerChild {
  readonly pid: number
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<void>
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>()
  #lastWords = ''
  #death: UserError | undefined
  #spawnError: Error | undefined
  #hasAnswered = false
  #isStopping = false

  constructor(log: (text: string) => void) {
    const entry = fileURLToPath(new URL('runner-process.ts', import.meta.url))
    // The parent's own flags (test runner, inspector port) are not meant for the child.
    this.#process = fork(entry, [String(process.pid)], {
      execArgv: [],
      env: modelEnvironment(),
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.pid = this.#process.pid ?? 0
    this.#hear(this.#process.stdout, () => {})
    this.#hear(this.#process.stderr, log)
    this.#process.on('message', (answer: Answer) => this.#receive(answer))
    this.#process.on('error', (error) => (this.#spawnError ??= error))
    this.exited = new Promise((resolve) => {
      // `close` comes after `exit`, when the last words have been read.
      this.#process.on('close', (exitCode, signal) => {
        this.#die(this.#causeOfDeath(exitCode, signal))
        resolve()
      })
    })
  }

  /** Sends a request that has one answer. @throws {UserError} when the process is or gets gone. */
  ask(request: Request): Promise<Answer> {
    if (this.#death !== undefined) return Promise.reject(this.#death)
    const answer = Promise.withResolvers<Answer>()
    this.#waiting.set(request.id, answer)
    this.tell(request)
    return answer.promise
  }

  /** Sends a request that has no answer. */
  tell(request: Request): void {
    // A closed channel is no news: the process's end settles everything that waits.
    if (this.#process.connected) this.#process.send(request, () => {})
  }

  /** Ends the process: it holds nothing that a farewell would save. */
  kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    return this.exited
  }

  /** As `kill`, but meant: who still waits is told so. */
  stop(): Promise<void> {
    this.#isStopping = true
    return this.kill()
  }

  #receive(answer: Answer): void {
    this.#hasAnswered = true
    // What was said before a step that went well explains no death after it.
    if (answer.type === 'step') this.#lastWords = ''
    this.#waiting.get(answer.id)?.resolve(answer)
    this.#waiting.delete(answer.id)
  }

  #hear(output: Readable | null, log: (text: string) => void): void {
    output?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-lastWordsLimit)
      log(text.trimEnd())
    })
  }

  #die(death: UserError): void {
    this.#death = death
    for (const answer of this.#waiting.values()) answer.reject(death)
    this.#waiting.clear()
  }

  #causeOfDeath(exitCode: number | null, signal: string | null): UserError {
    if (this.#isStopping) return new UserError('runner-stopped', {})
    const lastWords = this.#lastWords.trim()
    const options = lastWords === '' ? {} : { cause: new Error(lastWords) }
    if (tellsOutOfMemory(lastWords)) return new UserError('runner-out-of-memory', {}, options)
    if (this.#hasAnswered || signal !== null) {
      // Careful: a SIGKILL may come from a person or from a system without memory; nobody says which.
      const params = { signal: signal ?? 'none', exitCode: exitCode ?? 0 }
      return new UserError('runner-crashed', params, options)
    }
    const errorLine = lastWords.split('\n').find((line) => /\w*Error\b/.test(line))
    const reason = this.#spawnError?.message ?? errorLine ?? `exit code ${exitCode}`
    return new UserError('runner-start-failed', { reason }, options)
  }
}
