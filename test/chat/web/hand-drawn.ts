/**
 * The page's server over real sockets with draw functions written by hand, for what the built-in
 * model cannot do on demand: crash, refuse, hang. The model itself draws in `page.test.ts`.
 */
import assert from 'node:assert/strict'
import {
  type WebEvent,
  type WebOptions,
  type WebPage,
  serveWeb,
} from '../../../src/chat/web/server.ts'
import type { Pixels } from '../../../src/engine/image.ts'
import type { PictureSpec, Step } from '../../../src/engine/pipeline.ts'

/** A way to draw. */
export type Draw = WebOptions['draw']
type Log = WebOptions['log']

/** What `serve` says of its model. */
export const facts = {
  name: 'hand',
  parameters: 7,
  defaults: { width: 16, height: 16, evaluations: 2, guidance: 0 },
}

const open: WebPage[] = []

/** Closes every page of `serve`. */
export async function closeAll(): Promise<void> {
  for (const page of open.splice(0)) await page.close()
}

/** Serves a page for `draw` at a free port and gives its address. */
export async function serve({ draw = paint, log = () => {} }: { draw?: Draw; log?: Log } = {}) {
  const page = await serveWeb({ host: '127.0.0.1', port: 0, draw, facts: async () => facts, log })
  open.push(page)
  return page.url
}

/** A picture whose every byte tells its seed. */
export function pixelsOf(seed: number, side = 16): Pixels {
  return { width: side, height: side, data: new Uint8Array(side * side * 3).fill(seed % 256) }
}

/** Two steps, then the pictures. */
export async function* paint({ seed, count = 1 }: PictureSpec): AsyncGenerator<Step> {
  const previews = Array.from({ length: count }, (_, k) => pixelsOf(seed + k, 2))
  yield { kind: 'step', index: 1, evaluations: 2, sigma: 0.5, previews }
  yield { kind: 'step', index: 2, evaluations: 2, sigma: 0, previews }
  for (const [index] of previews.entries()) {
    yield { kind: 'picture', index, seed: seed + index, pixels: pixelsOf(seed + index) }
  }
}

/** Sends a wish as the page would. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/api/imagine`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

/** The lines of an answer. */
export async function eventsOf(response: Response): Promise<WebEvent[]> {
  const lines = (await response.text()).split('\n')
  assert.equal(lines.pop(), '')
  return lines.map((line) => JSON.parse(line) as WebEvent)
}

/** The only line of an answer that refuses. */
export async function refusalOf(response: Response) {
  const [event, ...others] = await eventsOf(response)
  assert.deepEqual(others, [])
  assert.equal(event?.type, 'error')
  return event
}

/** Draws a wish to its end. */
export async function pictureOf(url: string, seed: number) {
  const events = await eventsOf(await post(url, { prompt: 'a fox', seed }))
  const picture = events.at(-1)
  assert.equal(picture?.type, 'picture')
  return picture
}
