/** Reading files that others wrote: limits, strict JSON, and errors that are safe to print. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { devNull, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  checkFolder,
  fileSize,
  invalidFile,
  parseJson,
  readJson,
  readRange,
} from '../../src/engine/untrusted-file.ts'
import { refusalOf } from './refusal.ts'

const parse = (text: string): unknown => parseJson('a.json', 'JSON', Buffer.from(text))

describe('parseJson', () => {
  it('gives what JSON.parse gives for every value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value, null, 1)
        assert.deepEqual(parse(text), JSON.parse(text))
      }),
    )
  })

  it('keeps keys that objects inherit', () => {
    const value = parse('{"__proto__": {"polluted": 1}, "constructor": 2, "toString": 3}')

    assert.deepEqual(Object.keys(Object(value)), ['__proto__', 'constructor', 'toString'])
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })

  it('accepts the same key in sibling objects', () => {
    assert.deepEqual(parse('[{"k": 1}, {"k": 2}]'), [{ k: 1 }, { k: 2 }])
  })

  const refusals: readonly [what: string, text: string, field: string, got: RegExp][] = [
    ['a repeated key', '{"a": 1, "b": 2, "a": 3}', 'a', /second/],
    ['a repeated key deep inside', '[{"x": [1, {"k": 1, "k": 1}]}]', 'k', /second/],
    ['a repeated key in another spelling', String.raw`{"a": 1, "\u0061": 2}`, 'a', /second/],
    ['a repeated key with quotes in it', String.raw`{"a\"b": 1, "a\"b": 2}`, 'a"b', /second/],
    ['deep nesting', '['.repeat(33) + ']'.repeat(33), 'JSON', /nested/],
    ['nesting without end', '['.repeat(1e6), 'JSON', /nested/],
    ['too many values', `[${'0,'.repeat(4_000_000)}0]`, 'JSON', /values/],
    ['a byte order mark', '\uFEFF{}', 'JSON', /not valid JSON/],
    ['an unfinished string', String.raw`{"a\ `.trim(), 'JSON', /JSON/],
    ['nothing at all', '', 'JSON', /JSON/],
  ]
  for (const [what, text, field, got] of refusals) {
    it(`refuses ${what}`, async () => {
      const { code, params } = await refusalOf(() => parse(text))

      assert.deepEqual([code, params.file, params.field], ['file-invalid', 'a.json', field])
      assert.match(String(params.got), got)
    })
  }

  it('refuses bytes that are not UTF-8', async () => {
    const bytes = Uint8Array.of(0x22, 0xc3, 0x28, 0x22)

    const { params } = await refusalOf(() => parseJson('a.json', 'JSON', bytes))

    assert.equal(params.expected, 'JSON in UTF-8')
  })
})

describe('invalidFile', () => {
  it('shows both ends of a long name', () => {
    const { params } = invalidFile('a', `${'x'.repeat(1e6)}.shape`, 'sizes', 'nothing')

    assert.match(String(params.field), /^x{130}\.\.\.x+\.shape$/)
  })

  it('masks what would steer a terminal', () => {
    const { message } = invalidFile('a', 'red\u001b[31m', 'text', 'left\u202Eright \uD800')

    assert.equal(message, 'file-invalid: file a, field red?[31m, expected text, got left?right ?')
  })
})

describe('untrusted files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'zimagine-test-'))
  })
  after(() => rm(folder, { recursive: true }))

  it('are missing under their own name', async () => {
    const file = join(folder, 'nobody.json')

    const { code, params } = await refusalOf(() => fileSize(file))

    assert.deepEqual([code, params], ['file-missing', { file }])
  })

  it('are missing when their folder is a file', async () => {
    await writeFile(join(folder, 'plain'), '')

    const { code } = await refusalOf(() => fileSize(join(folder, 'plain', 'config.json')))

    assert.equal(code, 'file-missing')
  })

  it('are not folders', async () => {
    const { code, params } = await refusalOf(() => fileSize(folder))

    assert.deepEqual([code, params.got], ['file-invalid', 'a folder'])
  })

  it('are not devices, which never end', async () => {
    const { code } = await refusalOf(() => readJson(devNull, 100))

    assert.equal(code, 'file-invalid')
  })

  it('are refused unread when too large', async () => {
    const file = join(folder, 'large.json')
    await writeFile(file, '[1, 2, 3]')

    const { params } = await refusalOf(() => readJson(file, 8))

    assert.deepEqual(params, { file, field: 'size', expected: 'at most 8 bytes', got: '9 bytes' })
  })

  it('give exactly the range asked for', async () => {
    const file = join(folder, 'range')
    await writeFile(file, 'abcdefgh')

    assert.equal(Buffer.from(await readRange(file, 2, 3)).toString(), 'cde')
  })

  it('may not end within a range', async () => {
    const file = join(folder, 'short')
    await writeFile(file, 'abcdefgh')

    const { params } = await refusalOf(() => readRange(file, 6, 4))

    assert.deepEqual(params, { file, field: 'size', expected: '10 bytes', got: '8 bytes' })
  })

  it('do not pass for a folder', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')

    const { code, params } = await refusalOf(() => checkFolder(file))

    assert.deepEqual([code, params.got], ['file-invalid', 'a file'])
  })
})
