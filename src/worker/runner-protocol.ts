/**
 * What a worker and its runner say to each other: an async generator's three verbs across a process
 * boundary, of one spec or of several drawn together. Steps are pulled, so a runner draws only what
 * somebody waits for, a cancel takes effect between steps, and several generations can be open at once.
 */
import { EngineError, type EngineErrorCode, type EngineErrorParams } from '../engine/error.ts'
import type { DrawOptions, ModelFacts, PictureSpec, Step } from '../engine/pipeline.ts'

/** How a model is opened. */
export type ModelOptions = {
  readonly precision?: 'auto' | 'fp32'
  readonly threads?: number
}

/**
 * To the runner. `open` comes once and first, then any number of generations, each with its own
 * `id`: `start` opens one without work, `next` asks for one step, `drop` takes one of its specs out,
 * `return` ends one early; neither of these has an answer of its own.
 */
export type Request =
  | { readonly type: 'open'; readonly id: number; readonly folder: string; options: ModelOptions }
  | {
      readonly type: 'start'
      readonly id: number
      readonly specs: readonly PictureSpec[]
      readonly options: DrawOptions
    }
  | { readonly type: 'next'; readonly id: number }
  | { readonly type: 'drop'; readonly id: number; readonly item: number }
  | { readonly type: 'return'; readonly id: number }

/**
 * From the runner: exactly one for each `open` and each `next`. An `error` with an item ended that one
 * only, without one the whole generation.
 */
export type Answer =
  | { readonly type: 'ready'; readonly id: number; readonly facts: ModelFacts }
  | { readonly type: 'step'; readonly id: number; readonly item: number; readonly step: Step }
  | { readonly type: 'done'; readonly id: number }
  | {
      readonly type: 'error'
      readonly id: number
      readonly item?: number
      readonly error: Failure
    }

/** An error without its class, which no message can carry. */
export type Failure =
  | { readonly kind: 'engine'; readonly code: EngineErrorCode; readonly params: EngineErrorParams }
  | { readonly kind: 'internal'; readonly message: string; readonly stack: string }

/** Takes an error apart for the journey; its causes are told in the message. */
export function failureOf(error: unknown): Failure {
  if (error instanceof EngineError) {
    return { kind: 'engine', code: error.code, params: error.params }
  }
  if (!(error instanceof Error)) return { kind: 'internal', message: String(error), stack: '' }
  const messages = [error.message]
  for (let { cause } = error; cause instanceof Error && messages.length < 8; { cause } = cause) {
    messages.push(cause.message)
  }
  return { kind: 'internal', message: messages.join(': '), stack: error.stack ?? '' }
}
