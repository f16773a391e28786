/**
 * The wire: JSON requests, and the stream of what happens in the channel that is open. A request that
 * fails throws a Refusal with a sentence to show; the stream connects again by itself, as often as it
 * takes, and the server says what must be read again.
 */
import { currentLocale, say } from './words.js'

const againMs = 2_000

/** The server's refusal, or the line's: `message` is the sentence to show. */
export class Refusal extends Error {
  /** Whether there was no answer at all. */
  isSilence = false
}

/** Asks for JSON. @throws {Refusal} */
export function get(path, query = {}) {
  const known = Object.entries({ ...query, locale: currentLocale() })
  return ask(`${path}?${new URLSearchParams(known)}`, {})
}

/** Asks for JSON until there is an answer. */
export async function getAtLast(path) {
  for (;;) {
    try {
      return await get(path)
    } catch (error) {
      if (!error.isSilence) throw error
      await new Promise((resolve) => setTimeout(resolve, againMs))
    }
  }
}

/** Sends JSON. @throws {Refusal} */
export function post(path, body) {
  return ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, locale: currentLocale() }),
  })
}

/**
 * Follows a channel: `onEvent(type, data)` for each event, `onState(isOpen)` when the line opens and
 * breaks. Returns what ends it.
 */
export function follow({ guild, channel, member }, onEvent, onState) {
  const query = new URLSearchParams({ guild, channel, member, locale: currentLocale() })
  let source
  let timer
  const open = () => {
    source = new EventSource(`/api/events?${query}`)
    source.addEventListener('open', () => onState(true))
    source.addEventListener('error', () => {
      onState(false)
      // A stream that the server refused is closed for good; a broken one comes back by itself.
      if (source.readyState !== EventSource.CLOSED) return
      timer = setTimeout(open, againMs)
      // A stream does not say why; this leads to the login if that is it.
      get('/api/place').catch(() => {})
    })
    for (const type of ['message', 'status', 'resync']) {
      source.addEventListener(type, (event) => onEvent(type, JSON.parse(event.data)))
    }
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}

/** A name that nothing else has, for what must not be done twice. */
export function newNonce() {
  // Careful: `randomUUID` is missing where the page is not served from a trusted place.
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}

/** A file as base64, the way JSON can carry it. @throws {Refusal} */
export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.addEventListener('load', () =>
      resolve(reader.result.slice(reader.result.indexOf(',') + 1)),
    )
    reader.addEventListener('error', () => reject(new Refusal(say('web.image-unreadable'))))
    reader.readAsDataURL(file)
  })
}

async function ask(address, options) {
  const response = await fetch(address, options).catch(() => {
    throw Object.assign(new Refusal(say('web.unreachable')), { isSilence: true })
  })
  const answer = await response.json().catch(() => ({}))
  if (response.status === 401) location.assign('/login')
  if (!response.ok) throw new Refusal(answer.error ?? say('web.broken'))
  return answer
}
