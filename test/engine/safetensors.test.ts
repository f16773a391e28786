/**
 * Reading and writing safetensors files: the reference's own bytes, every element type, lazy entries.
 * What happens to broken files is in `hostile-checkpoints.test.ts`.
 */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { mkdtemp, readFile, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import {
  type StoredDType,
  type TensorToWrite,
  readSafetensors,
  readTensor,
  writeSafetensors,
} from '../../src/engine/safetensors.ts'
import { bytesPerElement, elementCount } from '../../src/engine/tensor.ts'
import { refusalOf } from './refusal.ts'
import { encode } from './safetensors-mutations.ts'

let folder = ''
before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'zimagine-test-')))
})
after(() => rm(folder, { recursive: true }))

const rising = Float32Array.from([0, 1, 2, 3, 4, 5])

describe('readSafetensors', () => {
  it('reads the built-in transformer: 133 tensors behind a header', async () => {
    const nano = new URL('../../models/nano/transformer/', import.meta.url)
    const file = fileURLToPath(new URL('diffusion_pytorch_model.safetensors', nano))

    const { tensors, metadata } = await readSafetensors(file)

    const headerBytes = Number((await readFile(file)).readBigUInt64LE())
    assert.equal(tensors.size, 133)
    assert.deepEqual([...metadata], [['format', 'pt']])
    assert.deepEqual(tensors.get('x_pad_token'), {
      name: 'x_pad_token',
      dtype: 'bfloat16',
      shape: [1, 192],
      file: await realpath(file),
      offset: tensors.get('x_pad_token')!.offset,
      sizeBytes: 384,
    })
    assert.equal(Math.min(...[...tensors.values()].map((e) => e.offset)), 8 + headerBytes)
  })

  it('reads the header only', async () => {
    const file = join(folder, 'sparse.safetensors')
    const sizeBytes = 2 ** 30
    const entry = `{"dtype":"U8","shape":[${sizeBytes}],"data_offsets":[0,${sizeBytes}]}`
    const header = encode(`{"vast":${entry}}`, Buffer.alloc(0))
    await writeFile(file, header)
    await truncate(file, header.length + sizeBytes)

    const before = process.memoryUsage().arrayBuffers
    const { tensors } = await readSafetensors(file)

    assert.equal(tensors.get('vast')?.sizeBytes, sizeBytes)
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20)
  })

  it('gives the file that a link leads to', async () => {
    const [blob, link] = [join(folder, 'blob'), join(folder, 'link.safetensors')]
    await writeFile(
      blob,
      encode('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', Buffer.of(7)),
    )
    await symlink('blob', link)

    const { tensors } = await readSafetensors(link)

    assert.equal(tensors.get('a')?.file, blob)
  })

  it('names the link, not the blob, when a file is broken', async () => {
    await writeFile(join(folder, 'broken'), 'short')
    const link = join(folder, 'broken.safetensors')
    await symlink('broken', link)

    const { params } = await refusalOf(() => readSafetensors(link))

    assert.equal(params.file, link)
  })

  it('says which types it reads when a type is another', async () => {
    const file = join(folder, 'int64.safetensors')
    const entry = '{"dtype":"I64","shape":[1],"data_offsets":[0,8]}'
    await writeFile(file, encode(`{"position_ids":${entry}}`, Buffer.alloc(8)))

    const { code, params } = await refusalOf(() => readSafetensors(file))

    assert.equal(code, 'file-invalid')
    assert.deepEqual(params, {
      file,
      field: 'position_ids.dtype',
      expected: 'one of F32, F16, BF16, I8, U8',
      got: '"I64"',
    })
  })

  it('says that a file is missing', async () => {
    const file = join(folder, 'nobody.safetensors')

    const { code, params } = await refusalOf(() => readSafetensors(file))

    assert.deepEqual([code, params], ['file-missing', { file }])
  })
})

describe('readTensor', () => {
  const stored: readonly [dtype: StoredDType, name: string, bytes: number[], values: number[]][] = [
    ['float32', 'F32', [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0], [1, -2.5]],
    ['float16', 'F16', [0, 0x3c, 1, 0, 0xff, 0x7b], [1, 2 ** -24, 65504]],
    ['bfloat16', 'BF16', [0x80, 0x3f, 0x20, 0xc0, 0, 0x80], [1, -2.5, -0]],
    ['int8', 'I8', [0, 127, 128, 255], [0, 127, -128, -1]],
    ['uint8', 'U8', [0, 127, 128, 255], [0, 127, 128, 255]],
  ]
  for (const [dtype, name, bytes, values] of stored) {
    it(`widens ${dtype} exactly`, async () => {
      const file = join(folder, `${dtype}.safetensors`)
      const entry = { dtype: name, shape: [values.length], data_offsets: [0, bytes.length] }
      await writeFile(file, encode(JSON.stringify({ a: entry }), Buffer.from(bytes)))

      const { tensors } = await readSafetensors(file)
      const tensor = await readTensor(tensors.get('a')!)

      assert.equal(tensors.get('a')!.dtype, dtype)
      assert.deepEqual(tensor, {
        dtype: 'float32',
        shape: [values.length],
        data: Float32Array.from(values),
      })
    })
  }

  it('refuses a file that shrank since its header was read', async () => {
    const file = join(folder, 'shrinking.safetensors')
    await writeSafetensors(file, [{ name: 'a', dtype: 'float32', shape: [6], data: () => rising }])
    const { tensors } = await readSafetensors(file)
    await truncate(file, statSync(file).size - 1)

    const { code, params } = await refusalOf(() => readTensor(tensors.get('a')!))

    assert.deepEqual([code, params.file, params.field], ['file-invalid', file, 'size'])
  })
})

describe('writeSafetensors', () => {
  // The two vectors of the reference's own tests, `test_serialization` and the one on alignment.
  const vectors: readonly [name: string, shape: number[], header: string][] = [
    ['attn.0', [1, 2, 3], '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}'],
    [
      'attn0',
      [1, 1, 2, 3],
      '{"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       ',
    ],
  ]
  for (const [name, shape, header] of vectors) {
    it(`writes the reference's bytes for ${name}`, async () => {
      const file = join(folder, `${name}.safetensors`)

      await writeSafetensors(file, [{ name, dtype: 'float32', shape, data: () => rising }])

      const length = Buffer.of(header.length, 0, 0, 0, 0, 0, 0, 0)
      const expected = Buffer.concat([length, Buffer.from(header), Buffer.from(rising.buffer)])
      assert.deepEqual(await readFile(file), expected)
    })
  }

  it('writes what readSafetensors reads, for any tensors', async () => {
    const file = join(folder, 'any.safetensors')
    const dtype = fc.constantFrom<StoredDType[]>('float32', 'float16', 'bfloat16', 'int8', 'uint8')
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 })
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((n) => n !== '__metadata__')
    const tensor = fc.record({ name, dtype, shape })
    const tensors = fc.uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(tensors, async (list) => {
        const bytes = list.map(({ dtype, shape }, i) =>
          new Uint8Array(elementCount(shape) * bytesPerElement[dtype]).fill(i + 1),
        )
        await writeSafetensors(
          file,
          list.map((tensor, i) => ({ ...tensor, data: () => bytes[i]! })),
          { format: 'pt' },
        )

        const { tensors: read, metadata } = await readSafetensors(file)

        const all = await readFile(file)
        assert.deepEqual([...metadata], [['format', 'pt']])
        assert.equal(read.size, list.length)
        for (const [i, { name, dtype, shape }] of list.entries()) {
          const entry = read.get(name)!
          assert.deepEqual([entry.dtype, entry.shape], [dtype, shape])
          const range = all.subarray(entry.offset, entry.offset + entry.sizeBytes)
          assert.deepEqual(range, Buffer.from(bytes[i]!))
        }
      }),
      { numRuns: 50 },
    )
  })

  it('holds one tensor at a time', async () => {
    const file = join(folder, 'streamed.safetensors')
    const writtenBefore: number[] = []
    const tensors: TensorToWrite[] = ['a', 'b', 'c'].map((name) => ({
      name,
      dtype: 'uint8',
      shape: [1000],
      data: () => {
        writtenBefore.push(Math.floor(statSync(file).size / 1000))
        return new Uint8Array(1000)
      },
    }))

    await writeSafetensors(file, tensors)

    assert.deepEqual(writtenBefore, [0, 1, 2])
  })

  it('writes the view it is given, not the buffer behind it', async () => {
    const file = join(folder, 'view.safetensors')

    await writeSafetensors(file, [
      { name: 'a', dtype: 'float32', shape: [2], data: () => rising.subarray(2, 4) },
    ])

    const { tensors } = await readSafetensors(file)
    assert.deepEqual([...(await readTensor(tensors.get('a')!)).data], [2, 3])
  })

  it('does not write values that do not fill their shape', async () => {
    const tensor = { name: 'a', dtype: 'float32', shape: [7], data: () => rising } as const

    await assert.rejects(
      writeSafetensors(join(folder, 'bad'), [tensor]),
      /internal: a float32 \[7\]/,
    )
  })

  it('does not write one name twice', async () => {
    const tensor = { name: 'a', dtype: 'float32', shape: [6], data: () => rising } as const

    await assert.rejects(writeSafetensors(join(folder, 'bad'), [tensor, tensor]), /internal: two/)
  })
})
