/** The log: what a line holds, what it never holds, and how it looks on a terminal. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Log, type LogOptions, openLog } from '../src/log.ts'

/** What a log has written, by whatever `act` does with it. */
function written(act: (log: Log) => void, options: Partial<LogOptions> & { isTTY?: boolean } = {}) {
  const lines: string[] = []
  const { isTTY = false, ...others } = options
  const stream = { isTTY, write: (text: string) => lines.push(text) }
  act(openLog({ level: 'debug', hasPrompts: false, secrets: [], stream, ...others }))
  return lines.join('')
}

/** The one line that a log has written as JSON. */
function json(act: (log: Log) => void, options: Partial<LogOptions> = {}): Record<string, unknown> {
  return JSON.parse(written(act, options)) as Record<string, unknown>
}

describe('a line', () => {
  it('is JSON with a time, a level, facts and a text', () => {
    const { time, ...others } = json((log) => log.warn({ waitMs: 12 }, 'late'))

    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(others, { level: 'warn', waitMs: 12, text: 'late' })
  })

  it('names the part of the house it comes from', () => {
    const { component } = json((log) => log.of('worker').info({}, 'up'))

    assert.equal(component, 'worker')
  })

  it('is written from the level on that was chosen', () => {
    const lines = written(
      (log) => {
        log.debug({}, 'a')
        log.info({}, 'b')
        log.warn({}, 'c')
        log.error({}, 'd')
      },
      { level: 'warn' },
    )

    assert.deepEqual(lines.match(/"text":"."/g), ['"text":"c"', '"text":"d"'])
  })

  it('tells of an error its name, code, message, frames and cause', () => {
    const cause = new TypeError('why')
    const error = Object.assign(new Error('what', { cause }), { code: 'ENOENT' })

    const told = json((log) => log.error({ error }, 'failed'))['error'] as Record<string, unknown>

    assert.equal(told['name'], 'Error')
    assert.equal(told['code'], 'ENOENT')
    assert.equal(told['message'], 'what')
    assert.match(String(told['stack']), /^at .*log\.test\.ts/)
    assert.equal((told['cause'] as Record<string, unknown>)['message'], 'why')
  })

  it('holds what JSON cannot', () => {
    const facts = { big: 12n, bytes: new Uint8Array(5), at: new Date(0), none: undefined }

    const { big, bytes, at } = json((log) => log.info(facts, 'odd'))

    assert.deepEqual([big, bytes, at], [12, '(5 bytes)', '1970-01-01T00:00:00.000Z'])
  })

  it('ends, also for facts that hold themselves', () => {
    const facts: Record<string, unknown> = { a: 1 }
    facts['self'] = facts

    assert.match(
      written((log) => log.info(facts, 'round')),
      /\(more\)/,
    )
  })
})

describe('no line', () => {
  const fox = 'a red fox in the snow'
  const spec = { kind: 'imagine', prompt: fox, asked: fox, negativePrompt: fox, seed: 7 }

  it('holds a prompt, wherever in the facts it is', () => {
    const line = written((log) => log.info({ spec, jobs: [{ spec }], prompt: fox }, 'asked'))

    assert.doesNotMatch(line, /fox/)
    assert.match(line, /"prompt":"\(21 characters\)"/)
    assert.match(line, /"seed":7/)
  })

  it('holds a prompt by way of an error of the database', () => {
    const error = new Error(
      `Invalid invocation:\n{ data: { prompt: "${fox}" } }\nUnique constraint`,
    )
    error.name = 'PrismaClientKnownRequestError'

    const line = written((log) => log.error({ error }, 'failed'))

    assert.doesNotMatch(line, /fox/)
    assert.match(line, /Unique constraint/)
  })

  it('holds a known secret, raw or escaped, in facts, texts or errors', () => {
    const secret = 'hunter2"\\back'
    const error = new Error(`no entry for ${secret}`)

    const line = written((log) => log.error({ error, list: [secret] }, `text ${secret}`), {
      secrets: [secret],
    })

    assert.doesNotMatch(line, /hunter2/)
  })

  it('holds a password in a URL', () => {
    const line = written((log) => log.info({ url: 'postgresql://anna:s3cret@host/base' }, 'open'))

    assert.match(line, /postgresql:\/\/anna:\*\*\*@host\/base/)
  })

  it('holds what is called a token, secret, password or key', () => {
    const facts = { botToken: 'one', SECRET_KEY: 'two', password: 'three', apiKey: 'four' }

    assert.doesNotMatch(
      written((log) => log.info({ headers: facts }, 'sent')),
      /one|two|three|four/,
    )
  })
})

describe('an operator', () => {
  it('can allow prompts', () => {
    const { spec } = json((log) => log.info({ spec: { prompt: 'a fox' } }, 'asked'), {
      hasPrompts: true,
    })

    assert.deepEqual(spec, { prompt: 'a fox' })
  })
})

describe('on a terminal', () => {
  it('a line is short', () => {
    const line = written((log) => log.of('worker').warn({ job: '7k2mz0q9xa', n: 2 }, 'lost'), {
      isTTY: true,
    })

    assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} warn  worker: lost  job=7k2mz0q9xa  n=2\n$/)
  })

  it('a line is one, whatever it holds', () => {
    const name = 'a\nb\u001b[2J\u009b2J\u202ec'

    const line = written((log) => log.info({ name }, 'odd'), { isTTY: true })

    assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\p{Cf}]/u)
    assert.match(line, /\n$/)
  })
})
