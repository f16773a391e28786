/**
 * Runs a network over a large plane in overlapping tiles and blends the seams.
 * Source: huggingface/diffusers, autoencoder_kl.py, tiled_decode and tiled_encode (Apache-2.0).
 * Normalisation sees one tile at a time, so a tiled result differs from an untiled one.
 */
import { type Tensor, float32 } from '../tensor.ts'

/** Lengths along each side: `tile` and `stride` in input pixels, `blend` and `keep` in output's. */
export type Tiling = {
  readonly tile: number
  readonly stride: number
  readonly blend: number
  readonly keep: number
}

/** Tiles of which a quarter overlaps, for a network that turns `tile` pixels into `outputTile`. */
export function quarterOverlap(tile: number, outputTile: number): Tiling {
  const blend = Math.floor(outputTile / 4)
  return { tile, stride: Math.floor(tile * 0.75), blend, keep: outputTile - blend }
}

/** Applies `network` to `x` [channels, height, width] tile by tile. */
export async function runTiled(
  x: Tensor,
  tiling: Tiling,
  network: (tile: Tensor) => Promise<Tensor>,
): Promise<Tensor> {
  const [, height = 0, width = 0] = x.shape
  const strips: Tensor[] = []
  let above: readonly Tensor[] = []
  for (let top = 0; top < height; top += tiling.stride) {
    const row: Tensor[] = []
    for (let left = 0; left < width; left += tiling.stride) {
      row.push(await network(crop(x, top, left, tiling.tile)))
    }
    // Careful: tiles are blended in place, so each blends with an already blended neighbour.
    for (const [column, tile] of row.entries()) {
      if (above[column]) blendRows(above[column], tile, tiling.blend)
      if (column > 0) blendColumns(row[column - 1]!, tile, tiling.blend)
    }
    strips.push(
      join(
        row.map((tile) => crop(tile, 0, 0, tiling.keep)),
        2,
      ),
    )
    above = row
  }
  return join(strips, 1)
}

/** At most `size` by `size` pixels from a corner on. */
function crop({ shape, data }: Tensor, top: number, left: number, size: number): Tensor {
  const [channels = 0, height = 0, width = 0] = shape
  const rows = Math.min(size, height - top)
  const columns = Math.min(size, width - left)
  const cropped = new Float32Array(channels * rows * columns)
  for (let strip = 0; strip < channels * rows; strip++) {
    const channel = Math.floor(strip / rows)
    const from = (channel * height + top + (strip % rows)) * width + left
    cropped.set(data.subarray(from, from + columns), strip * columns)
  }
  return float32([channels, rows, columns], cropped)
}

function blendRows(above: Tensor, tile: Tensor, blend: number): void {
  const [channels = 0, height = 0, width = 0] = tile.shape
  const aboveHeight = above.shape[1]!
  const extent = Math.min(aboveHeight, height, blend)
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < extent; y++) {
      const from = (c * aboveHeight + aboveHeight - extent + y) * width
      const to = (c * height + y) * width
      for (let x = 0; x < width; x++) {
        tile.data[to + x] = mix(above.data[from + x]!, tile.data[to + x]!, y / extent)
      }
    }
  }
}

function blendColumns(left: Tensor, tile: Tensor, blend: number): void {
  const [channels = 0, height = 0, width = 0] = tile.shape
  const leftWidth = left.shape[2]!
  const extent = Math.min(leftWidth, width, blend)
  for (let strip = 0; strip < channels * height; strip++) {
    const from = strip * leftWidth + leftWidth - extent
    const to = strip * width
    for (let x = 0; x < extent; x++) {
      tile.data[to + x] = mix(left.data[from + x]!, tile.data[to + x]!, x / extent)
    }
  }
}

function mix(from: number, to: number, share: number): number {
  return from * (1 - share) + to * share
}

/** Joins tensors [channels, height, width] along axis 1 or 2. */
function join(parts: readonly Tensor[], axis: 1 | 2): Tensor {
  const shape = [...parts[0]!.shape]
  shape[axis] = parts.reduce((total, part) => total + part.shape[axis]!, 0)
  const joined = new Float32Array(shape.reduce((size, side) => size * side, 1))
  const outer = axis === 1 ? shape[0]! : shape[0]! * shape[1]!
  let at = 0
  for (let i = 0; i < outer; i++) {
    for (const { data } of parts) {
      const size = data.length / outer
      joined.set(data.subarray(i * size, (i + 1) * size), at)
      at += size
    }
  }
  return float32(shape, joined)
}
