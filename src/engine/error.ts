/**
 * The engine's one error for what its callers can expect to go wrong: a code and the facts, no
 * sentence for people (those live with whoever speaks to people). Broken promises between our own
 * modules are plain errors that begin with `internal:`.
 */

/** Every way in which the engine refuses its input, each with the facts it always carries. */
export type EngineErrorCode =
  | 'file-missing' // file
  | 'file-invalid' // file, field, expected, got: a checkpoint file that contradicts itself or us
  | 'tensor-missing' // file, tensor
  | 'tensor-mismatch' // file, tensor, expected, got
  | 'spec-invalid' // field, expected, got: what was asked for cannot be drawn
  | 'image-unsupported' // expected, got: not one of the formats we read, or an animation
  | 'image-broken' // reason: truncated or corrupt
  | 'image-too-large' // limit, got, unit: 'bytes' | 'pixels' (its area) | 'side' (in pixels)

/** Facts of an error: file paths, tensor names, numbers. Never secrets, never prompts. */
export type EngineErrorParams = Readonly<Record<string, string | number>>

/** An expected failure: `code` for programs, `params` for sentences, `message` for developers. */
export class EngineError extends Error {
  readonly code: EngineErrorCode
  readonly params: EngineErrorParams

  constructor(code: EngineErrorCode, params: EngineErrorParams, options?: ErrorOptions) {
    const facts = Object.entries(params).map(([name, value]) => `${name} ${value}`)
    super(`${code}: ${facts.join(', ')}`, options)
    this.name = 'EngineError'
    this.code = code
    this.params = params
  }
}
