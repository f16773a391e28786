/**
 * The transformer against the reference implementation's numbers on closed-form weights, whole and
 * block by block; tolerances are those of float32 against a reference of the same width.
 */
import assert from 'node:assert/strict'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Checkpoint } from '../../../src/engine/checkpoint.ts'
import type { TransformerConfig } from '../../../src/engine/models/config.ts'
import {
  captionGraph,
  denoiseGraph,
  modulationGraph,
} from '../../../src/engine/models/z-image-graph.ts'
import { type Item, ZImage, timeSinusoid } from '../../../src/engine/models/z-image.ts'
import { axialRotation } from '../../../src/engine/layers/rope.ts'
import type { Graph } from '../../../src/engine/onnx/graph.ts'
import { type Feeds, Session } from '../../../src/engine/onnx/session.ts'
import { type Tensor, float32 } from '../../../src/engine/tensor.ts'
import {
  type Reference,
  type ReferenceStat,
  input,
  readFixture,
} from '../../fixtures/closed-form.ts'
import {
  type ParameterShapes,
  closedFormCheckpoint,
  temporaryFolder,
} from '../../fixtures/closed-form-checkpoint.ts'
import { Deviation } from '../../fixtures/deviation.ts'

type Case = {
  readonly latent_shapes: readonly (readonly number[])[]
  readonly cap_lens: readonly number[]
  readonly t: readonly number[]
  readonly outputs: readonly Reference[]
  readonly intermediate?: Readonly<Record<string, ReferenceStat>>
  readonly residuals?: Readonly<Record<string, string>>
}
type Fixture = {
  readonly config: TransformerConfig
  readonly param_shapes: ParameterShapes
  readonly cases: Readonly<Record<string, Case>>
}

const { config, param_shapes: shapes, cases } = readFixture<Fixture>('transformer')
const options = { expandsWeights: false }
const deviation = new Deviation('transformer.json')
const folder = await temporaryFolder()
let checkpoint: Checkpoint
let network: ZImage

before(async () => {
  checkpoint = await closedFormCheckpoint(folder.path, 'transformer', shapes)
  network = new ZImage(config, checkpoint, options)
})

after(async () => {
  await network.release()
  await folder[Symbol.asyncDispose]()
  deviation.report()
})

/** Case F's inputs are named by its letter alone. */
function prefixOf(name: string): string {
  return name === 'F_residuals' ? 'F' : name
}

async function itemsOf(name: string): Promise<Item[]> {
  const prefix = prefixOf(name)
  const { latent_shapes: latentShapes, cap_lens: captionLengths, t, residuals = {} } = cases[name]!
  const modulations = await network.modulate(t)
  return Promise.all(
    latentShapes.map(async ([channels, , height, width], i) => ({
      latents: input(`${prefix}/latent${i}`, [channels!, height!, width!]),
      caption: await network.refine(
        input(`${prefix}/cap${i}`, [captionLengths[i]!, config.cap_feat_dim]),
      ),
      modulation: modulations[i]!,
      residuals: new Map(
        Object.keys(residuals).map((layer) => {
          const { data } = input(`F/res${layer}`, [64, config.dim])
          return [
            Number(layer),
            float32(
              [64, config.dim],
              data.map((value) => value * 0.1),
            ),
          ]
        }),
      ),
    })),
  )
}

/** Latents [16, 1, H, W] as rows [tokens, 64], filled up to 32s with the last row as the reference does. */
function rowsOf(latents: Tensor): number[][] {
  const [channels, , height, width] = latents.shape as [number, number, number, number]
  const rows: number[][] = []
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const row = []
      for (const [dy, dx] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ] as const) {
        for (let c = 0; c < channels; c++)
          row.push(latents.data[(c * height + y + dy) * width + x + dx]!)
      }
      rows.push(row)
    }
  }
  return filled(rows)
}

function filled<T>(rows: T[]): T[] {
  return [...rows, ...Array.from({ length: (32 - (rows.length % 32)) % 32 }, () => rows.at(-1)!)]
}

function captionRows(name: string): number[][] {
  return cases[name]!.cap_lens.flatMap((length, i) => {
    const { data } = input(`${name}/cap${i}`, [length, config.cap_feat_dim])
    const width = config.cap_feat_dim
    return filled(
      Array.from({ length }, (_, row) => [...data.subarray(row * width, (row + 1) * width)]),
    )
  })
}

function batchOfOne(rows: readonly (readonly number[])[]): Tensor {
  return float32([1, rows.length, rows[0]!.length], Float32Array.from(rows.flat()))
}

function padMask(rows: number, length: number): Tensor<'bool'> {
  const data = Uint8Array.from({ length: rows }, (_, row) => Number(row >= length))
  return { dtype: 'bool', shape: [1, rows, 1], data }
}

function rotationFeeds(name: string, positions: number[][]): Record<string, Tensor> {
  const { cos, sin } = axialRotation(positions, config.axes_dims, config.rope_theta)
  return {
    [`${name}_cos`]: float32([1, ...cos.shape], cos.data),
    [`${name}_sin`]: float32([1, ...sin.shape], sin.data),
  }
}

/** Runs a graph with inner values as further outputs. */
async function probe(
  graph: Graph,
  labels: readonly string[],
  feeds: Feeds,
): Promise<Record<string, Tensor>> {
  for (const label of labels) graph.output(`probe ${label}`, graph.recall(label))
  const session = await Session.create(graph, options)
  const outputs = await session.run(feeds)
  await session.release()
  return Object.fromEntries(labels.map((label) => [label, outputs[`probe ${label}`]!]))
}

describe('Z-Image graphs', () => {
  for (const [
    name,
    { intermediate, latent_shapes: latentShapes, cap_lens: lengths, t },
  ] of Object.entries(cases)) {
    if (!intermediate) continue
    // Case C's later statistics cover rows that pad one item to the other's length; ours has none.
    const isPadded = latentShapes.length > 1
    const expected = Object.entries(intermediate).filter(
      ([label]) => !isPadded || label.endsWith('embedder'),
    )

    it(`give the reference's inner values in case ${name}`, async () => {
      const captions = captionRows(name)
      const images = latentShapes.flatMap((shape, i) => rowsOf(input(`${name}/latent${i}`, shape)))
      const [, , height, width] = latentShapes[0]! as [number, number, number, number]
      const tokens = (height / 2) * (width / 2)
      const labelsOf = (...starts: string[]): string[] =>
        expected
          .map(([label]) => label)
          .filter((label) => starts.some((start) => label.startsWith(start)))
      const captionFeeds = rotationFeeds(
        'caption',
        captions.map((_, row) => [1 + row, 0, 0]),
      )
      const refined = await probe(captionGraph(config, checkpoint), labelsOf('cap_', 'context_'), {
        caption: batchOfOne(captions),
        is_pad: padMask(captions.length, isPadded ? captions.length : lengths[0]!),
        ...captionFeeds,
      })
      const sinusoid = float32(
        [t.length, 256],
        Float32Array.from(t.flatMap((time) => [...timeSinusoid(time, 1000)])),
      )
      const time = await probe(modulationGraph(config, checkpoint), ['t_embedder'], { sinusoid })
      const [modulation] = await network.modulate(t)
      const caption =
        refined['context_refiner.1'] ??
        batchOfOne(captions.map(() => Array.from({ length: config.dim }, () => 0)))
      const rest = await probe(
        denoiseGraph(config, checkpoint),
        labelsOf('x_', 'noise_', 'layers', 'final'),
        {
          image: batchOfOne(images),
          is_pad: padMask(images.length, isPadded ? images.length : tokens),
          refined: caption,
          modulation: float32([1, ...modulation!.shape], modulation!.data),
          ...rotationFeeds(
            'image',
            images.map((_, token) =>
              token < tokens
                ? [captions.length + 1, Math.floor(token / (width / 2)), token % (width / 2)]
                : [0, 0, 0],
            ),
          ),
          ...captionFeeds,
        },
      )

      const actual = { ...refined, ...time, ...rest }
      for (const [label, stat] of expected) {
        deviation.stat(`${name} ${label}`, actual[label]!.data, stat, 1e-4)
      }
    })
  }
})

describe('ZImage', () => {
  for (const [name, { outputs }] of Object.entries(cases)) {
    it(`gives the reference's velocity in case ${name}`, async () => {
      const velocities = await network.velocity(await itemsOf(name))

      for (const [i, velocity] of velocities.entries()) {
        deviation.check(`${name} ${i}`, velocity!.data, outputs[i]!.data, 2e-4)
      }
    })
  }

  it('gives a batch exactly what its items get alone', async () => {
    const items = [...(await itemsOf('D_equal_len_batch')), ...(await itemsOf('C_mixed_batch'))]

    const together = await network.velocity([...items, ...items])

    let worst = 0
    for (const [i, item] of items.entries()) {
      const [alone] = await network.velocity([item])
      for (const [j, value] of alone!.data.entries()) {
        worst = Math.max(
          worst,
          Math.abs(value - together[i]!.data[j]!),
          Math.abs(value - together[i + items.length]!.data[j]!),
        )
      }
    }
    console.log(`measured: batch against its singles: worst deviation ${worst.toExponential(2)}`)
    assert.ok(worst <= 1e-5)
  })

  it('leaves out items whose signal was aborted before their run, and only those', async () => {
    const items = [...(await itemsOf('D_equal_len_batch')), ...(await itemsOf('C_mixed_batch'))]
    const stop = new AbortController()

    const started = network.velocity(items.map((item) => ({ ...item, signal: stop.signal })))
    stop.abort()
    const mixed = items.map((item, i) => (i % 2 === 0 ? item : { ...item, signal: stop.signal }))

    assert.ok((await started).includes(undefined))
    assert.deepEqual(
      (await network.velocity(mixed)).map((velocity) => velocity !== undefined),
      items.map((_, i) => i % 2 === 0),
    )
  })

  it('gives the same when every item takes a run of its own', async () => {
    const items = await itemsOf('D_equal_len_batch')

    const [shared, apart] = [
      await network.velocity(items),
      await network.velocity(items, { isFrugal: true }),
    ]

    for (const [i, velocity] of apart.entries()) {
      deviation.check(`item ${i}`, velocity!.data, shared[i]!.data, 1e-5)
    }
  })

  it('modulates again after a schedule that failed', async () => {
    const folderNow = join(folder.path, 'now')
    await mkdir(folderNow)
    const mutable = new ZImage(
      config,
      await closedFormCheckpoint(folderNow, 'transformer', shapes),
      options,
    )
    const [file, away] = ['transformer', 'away'].map((name) =>
      join(folderNow, `${name}.safetensors`),
    )
    await rename(file!, away!)
    await assert.rejects(mutable.modulate([0.5]), /transformer\.safetensors/)

    await rename(away!, file!)
    const [modulation] = await mutable.modulate([0.5])
    await mutable.release()

    const [expected] = await network.modulate([0.5])
    deviation.check('modulation', modulation!.data, expected!.data, 0)
  })

  it('refuses a picture that has more rows than the rotary table', async () => {
    const [item] = await itemsOf('A_imgpad_nocappad')
    const latents = float32([16, 130, 2], new Float32Array(16 * 130 * 2))

    await assert.rejects(network.velocity([{ ...item!, latents }]), { code: 'spec-invalid' })
  })
})
