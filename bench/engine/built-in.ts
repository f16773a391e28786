/**
 * The built-in model: its networks one by one, and whole pictures through the engine's door, which
 * keeps captions, so that every picture here is of another prompt.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Checkpoint } from '../../src/engine/checkpoint.ts'
import { Autoencoder } from '../../src/engine/models/autoencoder.ts'
import { readModelFolder } from '../../src/engine/models/config.ts'
import { Qwen3 } from '../../src/engine/models/qwen3.ts'
import { ZImage } from '../../src/engine/models/z-image.ts'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { Generator } from '../../src/engine/random.ts'
import { float32 } from '../../src/engine/tensor.ts'
import { Tokenizer } from '../../src/engine/tokenizer.ts'
import type { Calls } from './rounds.ts'

/** Sides of the pictures, in pixels. */
export const side = 128
/** Transformer evaluations of one picture. */
export const evaluations = 8

const folder = fileURLToPath(new URL('../../models/nano', import.meta.url))
const prompt = 'two apples on a blue background'

/** Opens the model, which reads headers and builds graphs, and closes it again. */
export async function openAndClose(): Promise<void> {
  const pipeline = await Pipeline.open(folder)
  await pipeline.close()
}

/** Draws pictures, one or several together, each of a prompt that was never drawn before. */
export async function painter(): Promise<{
  readonly paint: (together?: number) => Promise<void>
  readonly close: () => Promise<void>
}> {
  const pipeline = await Pipeline.open(folder)
  let seed = 0
  const paint = async (together = 1): Promise<void> => {
    const specs = Array.from({ length: together }, () => {
      seed++
      return { prompt: `${prompt}, ${seed}`, seed, width: side, height: side, evaluations }
    })
    let pictures = 0
    for await (const drawn of pipeline.generateTogether(specs)) {
      if ('error' in drawn) throw drawn.error
      pictures += Number(drawn.step.kind === 'picture')
    }
    if (pictures !== together) throw new Error(`expected ${together} pictures, got ${pictures}`)
  }
  return { paint, close: () => pipeline.close() }
}

/** The networks as the pipeline opens them; everything that a call needs is made beforehand. */
export async function networkCalls() {
  const model = await readModelFolder(folder)
  const [weights, textWeights, pixelWeights, tokenizer] = await Promise.all([
    Checkpoint.open(join(folder, 'transformer'), 'diffusion_pytorch_model'),
    Checkpoint.open(join(folder, 'text_encoder'), 'model'),
    Checkpoint.open(join(folder, 'vae'), 'diffusion_pytorch_model'),
    Tokenizer.open(join(folder, 'tokenizer')),
  ])
  // So small a checkpoint is always expanded.
  const options = { expandsWeights: true }
  const transformer = new ZImage(model.transformer, weights, options)
  const prefix = textWeights.has('model.embed_tokens.weight') ? 'model.' : ''
  const textEncoder = new Qwen3(model.textEncoder, textWeights, { ...options, prefix })
  const autoencoder = new Autoencoder(model.autoencoder, pixelWeights, options)

  const readPrompt = async () =>
    transformer.refine(await textEncoder.hidden(tokenizer.encodePrompt(prompt).ids))
  const shape = [model.transformer.in_channels, side / 8, side / 8]
  const noise = new Generator(1).normal(shape.reduce((size, length) => size * length))
  const latents = float32(shape, noise)
  const [modulation] = await transformer.modulate([0.5])
  const item = { latents, caption: await readPrompt(), modulation: modulation! }
  return {
    readPrompt,
    evaluateOne: () => transformer.velocity([item]),
    evaluateFour: () => transformer.velocity([item, item, item, item]),
    decode: () => autoencoder.decode(latents, 'none'),
  } satisfies Calls
}
