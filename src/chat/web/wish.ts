/**
 * What the page asks for, checked before any work: shape, kinds and lengths. Ranges and a picture's
 * bytes are the engine's to judge, which does so before any work as well.
 */
import { randomInt } from 'node:crypto'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { PictureSpec } from '../../engine/pipeline.ts'
import type { MessageKey } from '../i18n.ts'

/** The longest prompt, in UTF-16 units. */
export const promptLimit = 2_000

const wish = z.strictObject({
  prompt: z.string().trim().min(1).max(promptLimit),
  negativePrompt: z.string().trim().max(promptLimit).exactOptional(),
  seed: z.number().exactOptional(),
  count: z.number().exactOptional(),
  width: z.number().exactOptional(),
  height: z.number().exactOptional(),
  evaluations: z.number().exactOptional(),
  guidance: z.number().exactOptional(),
  strength: z.number().exactOptional(),
  image: z.base64().exactOptional(),
  imageName: z.string().max(255).exactOptional(),
})

const isNumber: ReadonlySet<string> = new Set([
  'seed',
  'count',
  'width',
  'height',
  'evaluations',
  'guidance',
  'strength',
])

const sentenceOfText: Readonly<Record<string, MessageKey>> = {
  prompt: 'web.invalid-prompt',
  negativePrompt: 'web.invalid-negative-prompt',
}

/** A wish that cannot be one: the key of the sentence that says why, and the field it is about. */
export class WishError extends Error {
  readonly key: MessageKey
  readonly field: string

  constructor(key: MessageKey, field: string) {
    super(`${key}: ${field}`)
    this.name = 'WishError'
    this.key = key
    this.field = field
  }
}

/**
 * Reads a request's body as a picture to draw with previews; without a seed it gets a random one.
 *
 * @throws {UserError} spec-invalid for the first field that should be a number
 * @throws {WishError} for anything else, the first as well
 */
export function readWish(body: unknown): PictureSpec {
  const read = wish.safeParse(body, { reportInput: true })
  if (!read.success) throw faultOf(read.error.issues[0]!)
  const { image, seed = randomInt(2 ** 32), ...rest } = read.data
  const spec = { ...rest, seed, preview: true }
  return image === undefined ? spec : { ...spec, image: Buffer.from(image, 'base64') }
}

function faultOf({ path, input }: z.core.$ZodIssue): UserError | WishError {
  const field = String(path[0] ?? '')
  if (isNumber.has(field)) {
    const got = String(input).slice(0, 40)
    return new UserError('spec-invalid', { field, expected: 'a number', got })
  }
  return new WishError(sentenceOfText[field] ?? 'web.request-invalid', field)
}
