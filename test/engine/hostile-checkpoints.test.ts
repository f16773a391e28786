/**
 * A thousand made-up safetensors files and two hundred made-up configs. Whatever stands in them, the
 * reader either names the file and the field at fault or gives exactly what an independent reading of
 * the same bytes gives.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../../src/engine/error.ts'
import { type ModelFolder, readModelFolder } from '../../src/engine/models/config.ts'
import {
  type SafetensorsHeader,
  readSafetensors,
  readTensor,
} from '../../src/engine/safetensors.ts'
import { type Config, configFiles, configMutations } from './config-mutations.ts'
import { safetensorsMutations, soundParts } from './safetensors-mutations.ts'
import { SeededRandom } from './seeded-random.ts'

const nano = fileURLToPath(new URL('../../models/nano', import.meta.url))
const inherited = Reflect.ownKeys(Object.prototype)

let folder = ''
before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'zimagine-test-')))
})
after(() => rm(folder, { recursive: true }))

/** The value, or the EngineError; any other error is a crash and fails the test. */
async function valueOrRefusal<T>(attempt: Promise<T>): Promise<T | EngineError> {
  try {
    return await attempt
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
}

const titles = { fails: 'refuses', loads: 'loads', either: 'refuses or loads' }

/** One test a kind; the cases are dealt out to the kinds in turn, each with a seed of its own. */
function testKinds<M extends { readonly expected: keyof typeof titles }>(
  what: string,
  cases: number,
  kinds: Readonly<Record<string, M>>,
  tryCase: (mutation: M, random: SeededRandom) => Promise<'refused' | 'loaded'>,
): void {
  const table = Object.entries(kinds)
  const counts = { refused: 0, loaded: 0 }
  for (const [first, [kind, mutation]] of table.entries()) {
    it(`${titles[mutation.expected]} ${kind}`, async () => {
      for (let seed = first; seed < cases; seed += table.length) {
        const outcome = await tryCase(mutation, new SeededRandom(seed))
        counts[outcome]++
        const wanted = { fails: 'refused', loads: 'loaded', either: outcome }[mutation.expected]
        assert.equal(outcome, wanted, `seed ${seed}`)
      }
      assert.deepEqual(Reflect.ownKeys(Object.prototype), inherited)
    })
  }
  after(() => {
    const sum = `${counts.refused + counts.loaded} cases, ${table.length} kinds`
    console.log(`measured: ${what}: ${sum}, ${counts.refused} refused, ${counts.loaded} loaded`)
  })
}

describe('hostile safetensors', () => {
  testKinds('hostile safetensors', 1000, safetensorsMutations, async (mutation, random) => {
    const bytes = mutation.mutate(soundParts(random), random)
    const file = join(folder, 'model.safetensors')
    await writeFile(file, bytes)

    const got = await valueOrRefusal(readSafetensors(file))

    if (got instanceof EngineError) {
      assert.deepEqual([got.code, got.params.file], ['file-invalid', file])
      assert.match(String(got.params.field), mutation.field ?? /./)
      assert.ok(got.message.length < 1000)
      return 'refused'
    }
    await assertHolds(got, file, bytes)
    return 'loaded'
  })
})

/** The header and every value are what the bytes say, and every range lies inside the file. */
async function assertHolds(got: SafetensorsHeader, file: string, bytes: Buffer): Promise<void> {
  const begin = 8 + Number(bytes.readBigUInt64LE())
  const header: Record<string, Config> = JSON.parse(bytes.toString('utf8', 8, begin))
  const names = Object.keys(header).filter((name) => name !== '__metadata__')
  assert.deepEqual([...got.tensors.keys()], names)
  assert.deepEqual([...got.metadata], Object.entries(header.__metadata__ ?? {}))
  for (const [name, entry] of got.tensors) {
    const { dtype, shape, data_offsets: range } = header[name]!
    assert.deepEqual([entry.name, entry.shape, entry.file], [name, shape, file])
    const data = bytes.subarray(entry.offset, entry.offset + entry.sizeBytes)
    assert.equal(data.length, entry.sizeBytes, 'the range lies inside the file')
    assert.deepEqual([entry.offset - begin, entry.offset - begin + data.length], range)
    const tensor = await readTensor(entry)
    assert.deepEqual(tensor.shape, shape)
    assert.deepEqual([...tensor.data], valuesOf(String(dtype), data))
  }
}

/** Element by element, from the definitions of the formats. */
function valuesOf(dtype: string, data: Buffer): number[] {
  const read: Readonly<Record<string, [width: number, (at: number) => number]>> = {
    F32: [4, (at) => data.readFloatLE(at)],
    F16: [2, (at) => float16(data.readUInt16LE(at))],
    BF16: [2, (at) => Buffer.of(0, 0, data[at]!, data[at + 1]!).readFloatLE()],
    I8: [1, (at) => data.readInt8(at)],
    U8: [1, (at) => data.readUInt8(at)],
  }
  const [width, element] = read[dtype]!
  return Array.from({ length: data.length / width }, (_, i) => element(i * width))
}

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
function float16(bits: number): number {
  const sign = bits >> 15 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = (bits & 1023) / 1024
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity
  return sign * (exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14)
}

describe('hostile configs', () => {
  before(async () => {
    for (const file of configFiles) await cp(join(nano, file), join(folder, file))
  })

  testKinds('hostile configs', 200, configMutations, async (mutation, random) => {
    const name = random.pick(mutation.files)
    const file = join(folder, name)
    const original = await readFile(file)
    const config: Config = JSON.parse(original.toString())
    const mutated = mutation.mutate(config, random, name)
    if (mutated === null) await rm(file)
    else await writeFile(file, mutated ?? JSON.stringify(config))

    const got = await valueOrRefusal(readModelFolder(folder))

    try {
      if (got instanceof EngineError) {
        assert.equal(got.code, mutated === null ? 'file-missing' : 'file-invalid')
        if (mutation.expected === 'fails') assert.equal(got.params.file, file)
        if (mutated !== null) assert.match(String(got.params.field), mutation.field ?? /./)
        assert.ok(String(got.params.file).startsWith(folder) && got.message.length < 1000)
        return 'refused'
      }
      await assertSays(got)
      return 'loaded'
    } finally {
      await writeFile(file, original)
    }
  })
})

/** A config as it stands in its file, or nothing where there is no file. */
async function said(
  name: string,
): Promise<Config & { rope_parameters?: Config; defaults?: Config; preview?: unknown }> {
  return JSON.parse(await readFile(join(folder, name), 'utf8').catch(() => '{}'))
}

/** Every fact that a file says is in the result, and the defaults follow from the files. */
async function assertSays(got: ModelFolder): Promise<void> {
  const textEncoder = await said('text_encoder/config.json')
  textEncoder.rope_theta ??= textEncoder.rope_parameters?.rope_theta
  const pairs: [Config, Config][] = [
    [got.transformer, await said('transformer/config.json')],
    [got.textEncoder, textEncoder],
    [got.autoencoder, await said('vae/config.json')],
    [got.sampler, await said('scheduler/scheduler_config.json')],
  ]
  for (const [config, facts] of pairs) {
    for (const key of Object.keys(config).filter((key) => Object.hasOwn(facts, key))) {
      assert.deepEqual(config[key], facts[key], key)
    }
  }
  const { defaults, preview } = await said('zimagine.json')
  assert.deepEqual(got.preview, preview)
  const isTurbo = got.sampler.shift === 3
  const usual = {
    width: got.autoencoder.sample_size,
    height: got.autoencoder.sample_size,
    evaluations: isTurbo ? 8 : 28,
    guidance: isTurbo ? 0 : 4,
  }
  assert.deepEqual(got.defaults, { ...usual, ...defaults })
}
