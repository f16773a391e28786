/**
 * What sessions hold in memory, each measured in a process of its own: weights stay in their file,
 * and few of them are float32 at a time. One test shows the trap that the others guard against, so
 * that the guard is known to see it.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type TensorToWrite, writeSafetensors } from '../../../src/engine/safetensors.ts'
import { bfloat16ToFloat32 } from '../../../src/engine/tensor.ts'
import { temporaryFolder } from '../../fixtures/closed-form-checkpoint.ts'
import type { Moments, Widening } from './memory-probe.ts'

const isLinux = process.platform === 'linux'
const skip = isLinux ? false : 'memory is measured on Linux only: it needs /proc/self/status'
const probe = fileURLToPath(new URL('memory-probe.ts', import.meta.url))

const [blocks, width] = [4, 2048]
const layers = blocks * 3
const storedBytes = layers * width * width * 2
const widenedBytes = 2 * storedBytes

/** Blocks of three layers and a norm; no two layers are alike, lest they be shared. */
function* tensors(dtype: 'bfloat16' | 'float32'): Iterable<TensorToWrite> {
  const bits = new Uint16Array(width * width)
  for (let i = 0; i < bits.length; i++) bits[i] = 0x3c00 + (i % 61)
  const values = dtype === 'bfloat16' ? bits : bfloat16ToFloat32(bits)
  for (let i = 0; i < layers; i++) {
    const name = `${Math.floor(i / 3)}.${['gate', 'up', 'down'][i % 3]}.weight`
    yield { name, dtype, shape: [width, width], data: () => values.with(i, 0) }
  }
  for (let i = 0; i < blocks; i++) {
    yield { name: `${i}.norm`, dtype, shape: [width], data: () => values.subarray(0, width) }
  }
}

const folder = await temporaryFolder()
after(() => folder[Symbol.asyncDispose]())
const file = join(folder.path, 'blocks.safetensors')

function measure(widening: Widening): Moments {
  const args = [probe, file, widening, String(blocks), String(width)]
  // Careful: left to itself, glibc keeps freed memory of up to 32 MB a piece for later.
  const malloc = widening === 'expanded' ? { MALLOC_TRIM_THRESHOLD_: '131072' } : {}
  const env = { ...process.env, ...malloc }
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env })) as Moments
}

/** The most private memory that a run held beyond what the session held before it. */
function runPeakBytes({ created, ran }: Moments): number {
  return ran.peakBytes - ran.mappedBytes - created.anonymousBytes
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

describe('a session over 16-bit weights', { skip }, () => {
  let castsFirst: Moments
  let castsInPlace: Moments
  let expanded: Moments
  before(async () => {
    await writeSafetensors(file, tensors('bfloat16'))
    castsFirst = measure('casts first')
    castsInPlace = measure('casts in place')
    expanded = measure('expanded')
    const [guarded, trapped] = [runPeakBytes(castsFirst), runPeakBytes(castsInPlace)].map(megabytes)
    const figures = `${guarded} private in a run, ${trapped} with Casts in their natural order`
    console.log(`measured: ${megabytes(widenedBytes)} of float32 weights: ${figures}`)
  })

  it('leaves the weights in their file when it is created', () => {
    const { before, created } = castsFirst

    assert.ok(created.anonymousBytes - before.anonymousBytes < storedBytes / 4)
    assert.ok(created.mappedBytes - before.mappedBytes < storedBytes)
  })

  it('maps them from there when it runs', () => {
    const { created, ran } = castsFirst

    assert.ok(ran.mappedBytes - created.mappedBytes > 0.9 * storedBytes)
    assert.ok(ran.anonymousBytes - created.anonymousBytes < storedBytes / 4)
  })

  it('never holds more than two of twelve layers in float32', () => {
    assert.ok(runPeakBytes(castsFirst) < (2.5 / layers) * widenedBytes)
  })

  it('would hold many more if each Cast stood where its weight is used', () => {
    assert.ok(runPeakBytes(castsInPlace) > (5 / layers) * widenedBytes)
  })

  it('unmaps them when it is released', () => {
    const { created, released } = castsFirst

    assert.ok(released.mappedBytes - created.mappedBytes < storedBytes / 4)
  })

  it('holds all of them in float32 where that was asked for', () => {
    const { before, created } = expanded

    assert.ok(created.anonymousBytes - before.anonymousBytes > 0.9 * widenedBytes)
  })

  it('gives them back when it is released', () => {
    const { before, released } = expanded

    assert.ok(released.anonymousBytes - before.anonymousBytes < widenedBytes / 4)
  })
})

describe('a session over float32 weights', { skip }, () => {
  let moments: Moments
  before(async () => {
    await writeSafetensors(file, tensors('float32'))
    moments = measure('casts first')
  })

  it('copies none of them, neither when it is created nor when it runs', () => {
    const { before, created, ran } = moments

    assert.ok(created.anonymousBytes - before.anonymousBytes < widenedBytes / 4)
    assert.ok(ran.anonymousBytes - before.anonymousBytes < widenedBytes / 4)
  })

  it('maps them from their file', () => {
    const { created, ran } = moments

    assert.ok(ran.mappedBytes - created.mappedBytes > 0.9 * widenedBytes)
  })
})

if (skip) console.log(`measured: memory of sessions: skipped, ${skip}`)
