/**
 * The wire: JSON requests, and the stream of what happens in the channel that is open. A request that
 * fails throws a Refusal with a sentence to show; the stream connects again by itself, as often as it
 * takes, and says so each time, for whoever must read again what was missed.
 */
import { currentLocale, say } from './words.js'

/** The server's refusal, or the line's: `message` is the sentence to show. */
export class Refusal extends Error {}

/** Asks for JSON. @throws {Refusal} */
export function get(path, query = {}) {
  return ask(addressOf(path, query), {})
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
export function follow(place, onEvent, onState) {
  let source
  let timer
  const open = () => {
    source = new EventSource(addressOf('/api/events', place))
    source.addEventListener('open', () => onState(true))
    source.addEventListener('error', () => {
      onState(false)
      // A stream that the server refused is closed for good; a broken one comes back by itself.
      if (source.readyState !== EventSource.CLOSED) return
      clearTimeout(timer)
      timer = setTimeout(open, 2_000)
    })
    for (const type of ['message', 'status', 'resync']) {
      source.addEventListener(type, (event) => onEvent(type, JSON.parse(event.data || 'null')))
    }
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}

/** A name that nothing else has, for a message that must not be sent twice. */
export function newNonce() {
  // Careful: `randomUUID` is missing where the page is not served from a trusted place.
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}

function addressOf(path, query) {
  const known = Object.entries({ ...query, locale: currentLocale() })
  return `${path}?${new URLSearchParams(known.filter(([, value]) => value !== undefined))}`
}

async function ask(address, options) {
  const response = await fetch(address, options).catch(() => {
    throw new Refusal(say('web.unreachable'))
  })
  const answer = await response.json().catch(() => ({}))
  if (response.status === 401) location.assign('/login')
  if (!response.ok) throw new Refusal(answer.error ?? say('web.broken'))
  return answer
}
