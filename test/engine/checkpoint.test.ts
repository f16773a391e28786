/**
 * A network's checkpoint folder: one file or shards, an index that must agree with them, links as in
 * the Hub's cache, and configs whose faults are named by field.
 */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { Checkpoint, readConfig, readConfigIfAny } from '../../src/engine/checkpoint.ts'
import { writeSafetensors } from '../../src/engine/safetensors.ts'
import { refusalOf } from './refusal.ts'

let root = ''
before(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'zimagine-test-')))
})
after(() => rm(root, { recursive: true }))

let folders = 0
async function newFolder(): Promise<string> {
  const folder = join(root, `${folders++}`)
  await mkdir(folder)
  return folder
}

/** Writes a file of [2, 3] float32 tensors; tensor `name` is filled with the length of its name. */
async function writeTensors(file: string, names: readonly string[]): Promise<void> {
  await writeSafetensors(
    file,
    names.map((name) => ({
      name,
      dtype: 'float32',
      shape: [2, 3],
      data: () => new Float32Array(6).fill(name.length),
    })),
  )
}

/** Writes shards `m-1.safetensors`, `m-2.safetensors`, ... and an index; opens the checkpoint. */
async function openShards(
  shards: readonly (readonly string[])[],
  weightMap: Readonly<Record<string, unknown>>,
): Promise<Checkpoint> {
  const folder = await newFolder()
  for (const [i, names] of shards.entries()) {
    await writeTensors(join(folder, `m-${i + 1}.safetensors`), names)
  }
  const index = { metadata: { total_size: 1 }, weight_map: weightMap }
  await writeFile(join(folder, 'm.safetensors.index.json'), JSON.stringify(index))
  return Checkpoint.open(folder, 'm')
}

const [one, two] = ['m-1.safetensors', 'm-2.safetensors']

describe('Checkpoint', () => {
  let checkpoint: Checkpoint
  before(async () => {
    const folder = await newFolder()
    await writeTensors(join(folder, 'm.safetensors'), ['a', 'bb'])
    checkpoint = await Checkpoint.open(folder, 'm')
  })

  it('lists its tensors in file order', () => {
    assert.deepEqual(checkpoint.names(), ['a', 'bb'])
  })

  it('counts the bytes of its tensors', () => {
    assert.equal(checkpoint.sizeBytes, 48)
  })

  it('knows which tensors it has', () => {
    assert.deepEqual(
      ['a', 'b', 'toString'].map((name) => checkpoint.has(name)),
      [true, false, false],
    )
  })

  it('reads a tensor', async () => {
    const { shape, data } = await checkpoint.read('bb', [2, 3])

    assert.deepEqual(
      [shape, [...data]],
      [
        [2, 3],
        [2, 2, 2, 2, 2, 2],
      ],
    )
  })

  it('names a tensor that is missing', async () => {
    const { code, params } = await refusalOf(() => checkpoint.entry('c', [1]))

    assert.deepEqual([code, params], ['tensor-missing', { file: checkpoint.file, tensor: 'c' }])
  })

  it('names a tensor of another shape, with both shapes', async () => {
    const { code, params } = await refusalOf(() => checkpoint.read('a', [3, 2]))

    assert.equal(code, 'tensor-mismatch')
    assert.deepEqual(params, {
      file: checkpoint.file,
      tensor: 'a',
      expected: '[3, 2]',
      got: '[2, 3]',
    })
  })

  it('does not take [6] for [2, 3]', async () => {
    const { code } = await refusalOf(() => checkpoint.entry('a', [6]))

    assert.equal(code, 'tensor-mismatch')
  })

  it('reports the tensors that nobody asked for', async () => {
    const folder = await newFolder()
    await writeTensors(join(folder, 'm.safetensors'), ['a', 'b', 'c', 'd'])
    const opened = await Checkpoint.open(folder, 'm')

    opened.entry('a', [2, 3])
    await opened.read('c', [2, 3])
    opened.has('d')

    assert.deepEqual(opened.unused(), ['b', 'd'])
  })

  it('names the file to expect in an empty folder', async () => {
    const folder = await newFolder()

    const { code, params } = await refusalOf(() => Checkpoint.open(folder, 'model'))

    const file = join(folder, 'model.safetensors')
    assert.deepEqual([code, params], ['file-missing', { file }])
  })
})

describe('Checkpoint in shards', () => {
  it('finds each tensor in its shard', async () => {
    const opened = await openShards([['a', 'c'], ['bb']], { a: one, bb: two, c: one })

    assert.deepEqual(opened.names(), ['a', 'c', 'bb'])
    assert.ok(opened.entry('bb', [2, 3]).file.endsWith(two))
    assert.deepEqual([...(await opened.read('bb', [2, 3])).data], [2, 2, 2, 2, 2, 2])
  })

  it('goes by the index even beside a single file', async () => {
    const folder = await newFolder()
    await writeTensors(join(folder, 'm.safetensors'), ['old'])
    await writeTensors(join(folder, one), ['new'])
    const index = JSON.stringify({ weight_map: { new: one } })
    await writeFile(join(folder, 'm.safetensors.index.json'), index)

    assert.deepEqual((await Checkpoint.open(folder, 'm')).names(), ['new'])
  })

  it('follows links into another folder, as in the cache of the Hub', async () => {
    const [blobs, snapshot] = [await newFolder(), await newFolder()]
    await writeTensors(join(blobs, 'f00d'), ['a'])
    await writeFile(join(blobs, 'beef'), JSON.stringify({ weight_map: { a: one } }))
    await symlink(join(blobs, 'f00d'), join(snapshot, one))
    await symlink(join(blobs, 'beef'), join(snapshot, 'm.safetensors.index.json'))

    const opened = await Checkpoint.open(snapshot, 'm')

    assert.equal(opened.entry('a', [2, 3]).file, join(blobs, 'f00d'))
  })

  it('may hold tensors that objects inherit', async () => {
    const opened = await openShards([['constructor', 'toString']], {
      constructor: one,
      toString: one,
    })

    assert.deepEqual(opened.names(), ['constructor', 'toString'])
  })

  it('says which shard is missing', async () => {
    const { code, params } = await refusalOf(() => openShards([['a']], { a: one, b: two }))

    assert.equal(code, 'file-missing')
    assert.ok(String(params.file).endsWith(two))
  })

  it('does not leave its folder', async () => {
    for (const path of [
      '../m.safetensors',
      '/etc/m.safetensors',
      'a/m.safetensors',
      'C:m.safetensors',
    ]) {
      const { code, params } = await refusalOf(() => openShards([['a']], { a: path }))

      assert.deepEqual([code, params.field], ['file-invalid', 'weight_map.a'])
    }
  })

  const disagreements: readonly [
    what: string,
    shards: string[][],
    weightMap: Record<string, unknown>,
    field: string,
    file: string,
  ][] = [
    ['a tensor that its shard lacks', [['a']], { a: one, b: one }, 'b', one],
    [
      'a tensor in two shards',
      [['a'], ['a', 'b']],
      { a: one, b: two },
      'weight_map.a',
      'index.json',
    ],
    [
      'a tensor in another shard',
      [['a', 'b'], ['c']],
      { a: one, b: two, c: two },
      'weight_map.b',
      'index.json',
    ],
    ['a tensor that the index leaves out', [['a', 'b']], { a: one }, 'weight_map.b', 'index.json'],
    ['a shard that is not text', [['a']], { a: 1 }, 'weight_map.a', 'index.json'],
    ['a shard that is not safetensors', [['a']], { a: 'model.bin' }, 'weight_map.a', 'index.json'],
  ]
  for (const [what, shards, weightMap, field, file] of disagreements) {
    it(`refuses ${what}`, async () => {
      const { code, params } = await refusalOf(() => openShards(shards, weightMap))

      assert.deepEqual([code, params.field], ['file-invalid', field])
      assert.ok(String(params.file).endsWith(file))
    })
  }

  it('refuses an index without a map', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'm.safetensors.index.json'), '{}')

    const { params } = await refusalOf(() => Checkpoint.open(folder, 'm'))

    assert.deepEqual([params.field, params.got], ['weight_map', 'nothing'])
  })
})

describe('readConfig', () => {
  const schema = z.object({
    sizes: z.array(z.int().max(8).multipleOf(2)).max(3),
    act: z.enum(['silu', 'gelu']).default('silu'),
    rate: z.number().positive().optional(),
  })
  const read = async (text: string): Promise<unknown> => {
    await writeFile(join(root, 'config.json'), text)
    return readConfig(join(root, 'config.json'), schema)
  }

  it('gives what the schema names and leaves the rest', async () => {
    const text = '{"_class_name": "X", "sizes": [2, 4], "other": {}}'

    assert.deepEqual(await read(text), { sizes: [2, 4], act: 'silu' })
  })

  const faults: readonly [text: string, field: string, expected: string, got: string][] = [
    ['{"sizes": [2, 3]}', 'sizes[1]', 'a multiple of 2', '3'],
    ['{"sizes": [10]}', 'sizes[0]', 'at most 8', '10'],
    ['{"sizes": [2, 2, 2, 2]}', 'sizes', 'at most 3 items', '[2,2,2,2]'],
    ['{"sizes": "2"}', 'sizes', 'type array', '"2"'],
    ['{"sizes": [2.5]}', 'sizes[0]', 'type int', '2.5'],
    ['{}', 'sizes', 'type array', 'nothing'],
    ['{"sizes": [], "act": "relu"}', 'act', '"silu" or "gelu"', '"relu"'],
    ['{"sizes": [], "rate": 0}', 'rate', 'more than 0', '0'],
    ['[]', 'JSON', 'type object', '[]'],
  ]
  for (const [text, field, expected, got] of faults) {
    it(`says what is wrong with ${text}`, async () => {
      const { code, params } = await refusalOf(() => read(text))

      assert.equal(code, 'file-invalid')
      assert.deepEqual(params, { file: join(root, 'config.json'), field, expected, got })
    })
  }

  it('reads at most a mebibyte', async () => {
    const { params } = await refusalOf(() => read('{"sizes": []}'.padEnd(2 ** 20 + 1)))

    assert.equal(params.field, 'size')
  })
})

describe('readConfigIfAny', () => {
  it('gives undefined where there is no file', async () => {
    assert.equal(await readConfigIfAny(join(root, 'nobody.json'), z.object({})), undefined)
  })

  it('does not overlook a broken file', async () => {
    await writeFile(join(root, 'broken.json'), '{')

    const { code } = await refusalOf(() => readConfigIfAny(join(root, 'broken.json'), z.object({})))

    assert.equal(code, 'file-invalid')
  })
})
