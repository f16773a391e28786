/** Open pages: what they hear, in which order, and what they hear after their line was lost. */
import assert from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { privately } from '../../../src/chat/message.ts'
import type { HeardEvent } from '../../../src/queue/events.ts'
import { newDatabase } from '../../store/database.ts'
import { until } from '../../worker/processes.ts'
import { here, House, pictureMessage, say, show } from './playground.ts'

const house = new House(await newDatabase())
const lines: Line[] = []

after(() => house.close())
beforeEach(() => {
  house.answer = () => []
})
afterEach(async () => {
  for (const line of lines.splice(0)) line.hangUp()
  await house.leave()
})

type Heard = { readonly event: string; readonly id: string | undefined; readonly data: unknown }

/** A page that listens, with what it heard so far. */
class Line {
  readonly response: IncomingMessage
  readonly heard: Heard[] = []
  text = ''

  constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8')
    response.on('error', () => undefined)
    response.on('data', (chunk: string) => {
      this.text += chunk
      const parts = this.text.split('\n\n')
      this.heard.splice(0, this.heard.length, ...parts.slice(0, -1).flatMap(readEvent))
    })
    lines.push(this)
  }

  /** The texts of the messages, as they came. */
  get texts(): string[] {
    return this.of('message').map(
      ({ data }) => (data as { message: { text: string } }).message.text,
    )
  }

  of(event: string): Heard[] {
    return this.heard.filter((each) => each.event === event)
  }

  get lastId(): string | undefined {
    return this.heard.findLast(({ id }) => id !== undefined)?.id
  }

  hangUp(): void {
    this.response.destroy()
  }
}

function readEvent(part: string): Heard[] {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1]
  const [event, data] = [field('event'), field('data')]
  return event === undefined ? [] : [{ event, id: field('id'), data: JSON.parse(data!) }]
}

/** Listens in, as Mei unless told otherwise; with an id, as one who was there before. */
async function listen(url: string, more: object = {}, lastEventId?: string): Promise<Line> {
  const query = String(new URLSearchParams({ ...here, ...more }))
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}/api/events?${query}`, { headers, agent: false }, resolve).on('error', reject)
  })
  const line = new Line(response)
  if (response.statusCode === 200) {
    await until('the line is open', () => line.text.includes('retry:'))
  }
  return line
}

describe('an open page', () => {
  it('reads first, then hears what is said, in order', async () => {
    const { url } = await house.serve()
    const line = await listen(url)
    await until('it is told to read', () => line.of('resync').length === 1)

    for (const text of ['one', 'two', 'three']) await say(url, text)
    await until('all is heard', () => line.texts.length >= 3)

    assert.deepEqual(line.texts, ['one', 'two', 'three'])
    assert.equal(line.response.headers['content-type'], 'text/event-stream; charset=utf-8')
    assert.match(String(line.response.headers['content-security-policy']), /default-src 'none'/)
  })

  it('hears nothing that is private to others, nor from other channels and guilds', async () => {
    const { url } = await house.serve()
    house.answer = () => [privately({ text: 'for you alone' })]
    const own = await listen(url)
    const other = await listen(url, { member: 'jonas' })

    await say(url, 'elsewhere', { channel: 'lounge' })
    await say(url, 'far away', { guild: 'workshop', channel: 'sketches', member: 'lin' })
    await say(url, 'here')
    await until('the answer is heard', () => own.texts.includes('for you alone'))
    await say(url, 'the end')
    await until('the end is heard', () => other.texts.includes('the end'))

    assert.deepEqual(own.texts.slice(0, 2), ['here', 'for you alone'])
    assert.deepEqual(other.texts, ['here', 'the end'])
  })

  it('hears what another process writes', async () => {
    const one = await house.serve()
    const other = await house.serve()
    const line = await listen(one.url)

    await say(other.url, 'from over there')

    await until('it is heard', () => line.texts.includes('from over there'))
  })

  it('hears how a job goes on under one id, and that it was removed', async () => {
    const { url, adapter } = await house.serve()
    const { id, key } = await house.draw()
    const line = await listen(url)

    await show(adapter, id, { text: 'drawing', progress: { done: 1, of: 8, text: '1 of 8' } })
    await until('progress is heard', () => line.texts.includes('drawing'))
    const shown = await show(adapter, id, pictureMessage(key))
    await until('the picture is heard', () => line.texts.includes('Here it is.'))
    await adapter.remove({ ...here }, shown)
    await until('the removal is heard', () => line.texts.length === 3)

    const views = line.of('message').map(({ data }) => data as { id: string; isDeleted: boolean })
    assert.deepEqual(
      views.map(({ id: messageId, isDeleted }) => [messageId, isDeleted]),
      [
        [shown.message, false],
        [shown.message, false],
        [shown.message, true],
      ],
    )
  })

  it('is told at once how things stand, and again when that changes', async () => {
    const { url } = await house.serve()
    const line = await listen(url)
    await until('the status is heard', () => line.of('status').length === 1)

    await house.database.state.create({
      data: {
        name: 'device/test:0',
        value: {
          id: 'test:0',
          deviceClass: 'cpu',
          model: 'nano',
          mostPixels: 1,
          mostBatch: 1,
          isDraining: false,
        },
      },
    })

    await until('the change is heard', () => line.of('status').length === 2)
    const devices = line.of('status').map(({ data }) => (data as { devices: number }).devices)
    assert.deepEqual(devices, [0, 1])
  })
})

describe('a page that lost its line', () => {
  it('hears exactly what it missed when it comes back', async () => {
    const { url } = await house.serve()
    const line = await listen(url)
    await say(url, 'heard')
    await until('the first is heard', () => line.texts.length === 1)
    line.hangUp()
    const other = await listen(url, { member: 'jonas' })
    await say(url, 'missed')
    await say(url, 'missed elsewhere', { channel: 'lounge' })
    await say(url, 'missed too')
    await until('another page has heard', () => other.texts.length === 2)

    const back = await listen(url, {}, line.lastId)
    await say(url, 'heard again')
    await until('the last is heard', () => back.texts.includes('heard again'))

    assert.deepEqual(back.texts, ['missed', 'missed too', 'heard again'])
    assert.deepEqual(back.of('resync'), [])
  })

  for (const [what, lastEventId] of [
    ['it heard from another process', '0123456789ab-1'],
    ['nobody said', 'nonsense'],
    ['is yet to come', 'EPOCH-999'],
  ] as const) {
    it(`reads again when it comes back with an event that ${what}`, async () => {
      const { url } = await house.serve()
      const first = await listen(url)
      await until('it is told to read', () => first.of('resync').length === 1)
      const epoch = first.lastId!.split('-')[0]!

      const back = await listen(url, {}, lastEventId.replace('EPOCH', epoch))

      await until('it is told to read', () => back.of('resync').length === 1)
    })
  }

  it('reads again when the server itself may have missed something', async () => {
    let tell: (event: HeardEvent) => void = () => undefined
    const { url } = await house.serve({
      events: {
        subscribe: (onEvent) => {
          tell = onEvent
          return () => undefined
        },
      },
    })
    const line = await listen(url)
    await until('it is told to read', () => line.of('resync').length === 1)

    tell({ type: 'gap' })

    await until('it is told again', () => line.of('resync').length === 2)
    const back = await listen(url, {}, line.of('resync')[0]!.id)
    await until('who was away is told as well', () => back.of('resync').length === 1)
  })
})

describe('pages', () => {
  it('are 100 at most; the next is told why, and finds a place when one closes', async () => {
    const { url } = await house.serve()
    await Promise.all(Array.from({ length: 100 }, () => listen(url)))

    const refused = await listen(url)
    lines[0]!.hangUp()
    let next = await listen(url)
    while (next.response.statusCode !== 200) next = await listen(url)

    assert.equal(refused.response.statusCode, 503)
    await until('it was told why', () => refused.text.includes('Too many pages'))
  })

  it('are let go when the server closes', async () => {
    const playground = await house.serve()
    const line = await listen(playground.url)
    let isOver = false
    line.response.once('close', () => {
      isOver = true
    })

    await playground.close()

    await until('the line is over', () => isOver)
    assert.deepEqual(house.logged, [])
  })
})
