/**
 * What a job costs, in microseconds. A shape gives the cost on the reference device from the number
 * of tokens N: an evaluation takes a + b N + c N^2 (a launch floor, the linear layers, attention).
 * What devices really take is learnt as a ratio to that shape, one for each device class, size,
 * number of references and batch, by exponentially weighted means. Fairness does not depend on
 * estimates being right, only how soon people are told to expect their pictures.
 *
 * Pure: the model is plain data, and learning gives a new one. The shape is fitted to published
 * step times of Z-Image on one H100 (SGLang's CI, 2026-04: 84 ms at 1024 x 1024) and to the
 * transformer's operation counts at other sizes.
 */
import { checkedMicros, mostMicros } from './queued-job.ts'

/** What is run at once on one device, as far as its cost goes. */
export type Work = {
  readonly width: number
  readonly height: number
  /** Calls of the transformer for each picture. */
  readonly evaluations: number
  readonly pictures: number
  /** How many pictures go through the transformer together, 1 to `pictures`. */
  readonly batch: number
  readonly captionTokens: number
  /** Pixels of each reference picture, for edits. */
  readonly referencePixels: readonly number[]
  readonly isPromptCached: boolean
}

/** A learnt ratio of device time to the shape, and from how many samples. */
export type Ratio = { readonly ratio: number; readonly samples: number }

/** What has been learnt: of device classes as a whole, and of each kind of work on them. */
export type CostModel = {
  readonly devices: Readonly<Record<string, Ratio>>
  readonly kinds: Readonly<Record<string, Readonly<Record<string, Ratio>>>>
}

/** A model that has seen nothing: every device is the reference device. */
export const newCostModel: CostModel = { devices: {}, kinds: {} }

const encodeMicros = 60_000
const referenceMicros = 50_000
const evaluationMicros = 10_000 // a
const evaluationMicrosPerToken = 14.3 // b
const evaluationMicrosPerSquare = 0.0009 // c
const decodeMicrosPerPixel = 0.043
/** One token of the transformer is 16 x 16 pixels. */
const pixelsPerToken = 256
const captionBlock = 32

const slowest = 0.1 // of each new sample in a kind of work's ratio, once there are ten
const slowestOfDevice = 0.02
const largestUpdate = 0.25

/** The cost of work on the reference device. */
export function shapeMicros(work: Work): number {
  const { width, height, evaluations, pictures, batch, referencePixels, isPromptCached } = work
  const tokens = tokensOf(work)
  const linear = evaluationMicrosPerToken * tokens + evaluationMicrosPerSquare * tokens ** 2
  const passes = (evaluations * pictures) / batch
  return (
    (isPromptCached ? 0 : encodeMicros) +
    referencePixels.length * referenceMicros +
    passes * (evaluationMicros + batch * linear) +
    pictures * width * height * decodeMicrosPerPixel
  )
}

/** How long a device of this class is expected to take. A kind not seen yet lies between others. */
export function estimateMicros(model: CostModel, device: string, work: Work): number {
  const micros = Math.round(shapeMicros(work) * ratioOf(model, device, work).ratio)
  return Math.min(Math.max(1, micros), mostMicros)
}

/** The model after a device took so long for this work. */
export function learnt(
  model: CostModel,
  device: string,
  work: Work,
  measuredMicros: number,
): CostModel {
  const sample = checkedMicros(measuredMicros, 1) / shapeMicros(work)
  const whole = model.devices[device]
  const kind = updated(ratioOf(model, device, work), sample, slowest)
  // Nothing was known of a first device's speed, so nothing limits what its first sample says.
  const known = whole === undefined ? { ratio: sample, samples: 1 } : kind
  return {
    devices: {
      ...model.devices,
      [device]: updated(whole ?? { ratio: sample, samples: 0 }, sample, slowestOfDevice),
    },
    kinds: {
      ...model.kinds,
      [device]: { ...model.kinds[device], [kindOf(work)]: known },
    },
  }
}

/** Speed of a device class, the reference device being 1. */
export function speedOf(model: CostModel, device: string): number {
  return 1 / (model.devices[device]?.ratio ?? 1)
}

/**
 * Time on a device in microseconds of the reference device, to be charged and compared: nobody pays
 * for having been given a slow device.
 */
export function inReferenceMicros(model: CostModel, device: string, micros: number): number {
  const charged = Math.round(micros * speedOf(model, device))
  return Math.min(Math.max(0, charged), mostMicros)
}

/** Whether anything was drawn on a device of this class: else its speed is not known. */
export function isMeasured(model: CostModel, device: string): boolean {
  return model.devices[device] !== undefined
}

/**
 * What each job of a batch is charged of the time that the batch took: in proportion to what each
 * would have cost alone, never more than that, in whole microseconds that add up.
 */
export function batchShares(batchMicros: number, singleMicros: readonly number[]): number[] {
  const sum = singleMicros.reduce((total, single) => total + single, 0)
  const total = Math.min(batchMicros, sum)
  let before = 0
  let given = 0
  return singleMicros.map((single) => {
    before += single
    // Rounding running totals loses nothing: the last one is the total itself.
    const until = before === sum ? total : Math.floor((total / sum) * before)
    const share = Math.min(single, until - given)
    given += share
    return share
  })
}

function tokensOf({ width, height, captionTokens, referencePixels }: Work): number {
  const pixels = referencePixels.reduce((sum, each) => sum + each, width * height)
  return pixels / pixelsPerToken + Math.ceil(captionTokens / captionBlock) * captionBlock
}

/** Half octaves of N, references, batch. */
function kindOf(work: Work): string {
  return `${sizeOf(work)} ${work.referencePixels.length} ${work.batch}`
}

function sizeOf(work: Work): number {
  return Math.round(2 * Math.log2(tokensOf(work)))
}

function updated({ ratio, samples }: Ratio, sample: number, least: number): Ratio {
  const moved = ratio + (sample - ratio) * Math.max(least, 1 / (samples + 1))
  const bounded = Math.min(
    Math.max(moved, ratio * (1 - largestUpdate)),
    ratio * (1 + largestUpdate),
  )
  return { ratio: bounded, samples: samples + 1 }
}

function ratioOf(model: CostModel, device: string, work: Work): Ratio {
  const kinds = model.kinds[device] ?? {}
  const known = kinds[kindOf(work)]
  if (known !== undefined) return known
  const all = Object.entries(kinds).map(([kind, { ratio }]) => {
    const [size = '', references, batch] = kind.split(' ')
    const isLike =
      references === String(work.referencePixels.length) && batch === String(work.batch)
    return { size: Number(size), ratio, isLike }
  })
  const like = all.filter(({ isLike }) => isLike)
  const ratio = between(like.length > 0 ? like : all, sizeOf(work))
  return { ratio: ratio ?? model.devices[device]?.ratio ?? 1, samples: 0 }
}

/** On the line between the nearest smaller and the nearest larger size; beyond the ends, the end's. */
function between(
  points: readonly { readonly size: number; readonly ratio: number }[],
  size: number,
): number | undefined {
  const below = points.filter((point) => point.size <= size).toSorted((a, b) => b.size - a.size)[0]
  const above = points.filter((point) => point.size >= size).toSorted((a, b) => a.size - b.size)[0]
  if (below === undefined || above === undefined) return (below ?? above)?.ratio
  if (below.size === above.size) return (below.ratio + above.ratio) / 2
  const part = (size - below.size) / (above.size - below.size)
  return below.ratio + (above.ratio - below.ratio) * part
}
