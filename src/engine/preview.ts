/**
 * Small pictures of latents while they are drawn: a linear map from each latent pixel to a colour.
 * A checkpoint may bring its own map; for one that does not, the map is fitted to its decoder.
 */
import type { Pixels } from './image.ts'
import type { PreviewMap } from './models/config.ts'
import { Generator } from './random.ts'
import { type Tensor, float32 } from './tensor.ts'

/** A picture with one pixel for each of `latents` [channels, height, width], normalised. */
export function previewPixels(latents: Tensor, { weight, bias }: PreviewMap): Pixels {
  const [channels = 0, height = 0, width = 0] = latents.shape
  const area = height * width
  const data = new Uint8ClampedArray(3 * area)
  for (let pixel = 0; pixel < area; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      let value = bias[colour]!
      for (let c = 0; c < channels; c++) {
        value += latents.data[c * area + pixel]! * weight[c]![colour]!
      }
      data[3 * pixel + colour] = 255 * value
    }
  }
  return { width, height, data: new Uint8Array(data.buffer) }
}

/** Side of the latents to which a map is fitted, in flat patches that the decoder can follow. */
const fitSide = 32
const patchSide = 4

/**
 * Fits a map to a decoder (normalised latents [channels, h, w] to planes [3, H, W] in [-1, 1]) by
 * least squares over one decoding of random patches.
 */
export async function fitPreviewMap(
  channels: number,
  decode: (latents: Tensor) => Promise<Tensor>,
): Promise<PreviewMap> {
  const patches = fitSide / patchSide
  const colours = new Generator(0).normal(channels * patches * patches)
  const area = fitSide * fitSide
  const patchOf = (pixel: number): number => {
    const [y, x] = [Math.floor(pixel / fitSide), pixel % fitSide]
    return Math.floor(y / patchSide) * patches + Math.floor(x / patchSide)
  }
  const latents = Float32Array.from({ length: channels * area }, (_, i) => {
    return colours[Math.floor(i / area) * patches * patches + patchOf(i % area)]!
  })
  const planes = await decode(float32([channels, fitSide, fitSide], latents))
  const scale = planes.shape[1]! / fitSide
  const rows: number[][] = []
  const targets: number[][] = []
  for (let pixel = 0; pixel < area; pixel++) {
    const [y, x] = [Math.floor(pixel / fitSide), pixel % fitSide]
    rows.push([...Array.from({ length: channels }, (_, c) => latents[c * area + pixel]!), 1])
    targets.push([0, 1, 2].map((colour) => meanColour(planes, colour, y * scale, x * scale, scale)))
  }
  const solution = leastSquares(rows, targets)
  return { weight: solution.slice(0, channels), bias: solution[channels]! }
}

/** Mean of a square of a plane, from [-1, 1] to [0, 1]. */
function meanColour(
  planes: Tensor,
  colour: number,
  top: number,
  left: number,
  side: number,
): number {
  const [, height = 0, width = 0] = planes.shape
  let sum = 0
  for (let y = top; y < top + side; y++) {
    for (let x = left; x < left + side; x++) sum += planes.data[(colour * height + y) * width + x]!
  }
  return sum / (2 * side * side) + 0.5
}

/** X minimising |rows X - targets|, by the normal equations; a little ridge keeps them solvable. */
function leastSquares(rows: readonly number[][], targets: readonly number[][]): number[][] {
  const size = rows[0]!.length
  const system = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) => (i === j ? 1e-3 : 0)),
    ...targets[0]!.map(() => 0),
  ])
  for (const [k, row] of rows.entries()) {
    const right = [...row, ...targets[k]!]
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < right.length; j++) system[i]![j]! += row[i]! * right[j]!
    }
  }
  // Gauss and Jordan, without pivoting: the matrix is positive definite.
  for (let i = 0; i < size; i++) {
    const pivot = system[i]![i]!
    system[i] = system[i]!.map((value) => value / pivot)
    for (let k = 0; k < size; k++) {
      const factor = system[k]![i]!
      if (k !== i) system[k] = system[k]!.map((value, j) => value - factor * system[i]![j]!)
    }
  }
  return system.map((row) => row.slice(size))
}
