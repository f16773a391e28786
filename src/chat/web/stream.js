/**
 * One drawing over the wire: the wish goes as JSON, steps and pictures come back as lines of JSON
 * while they happen. Closing the connection is how a drawing is cancelled.
 */

/** The server's or the line's refusal: `sentences` by locale if the server sent them, or a `word`. */
export class Refusal extends Error {
  constructor({ sentences, word, field }) {
    super(word ?? 'refused')
    this.sentences = sentences
    this.word = word
    this.field = field
  }
}

/** Sends a wish and yields its `step` and `picture` events. @throws {Refusal} */
export async function* imagine(spec, signal) {
  const response = await fetch('/api/imagine', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spec),
    signal,
  }).catch((error) => {
    throw signal.aborted ? error : new Refusal({ word: 'web.unreachable' })
  })
  let wanted = spec.count
  for await (const event of lines(response.body, signal)) {
    if (event.type === 'error') throw new Refusal(event)
    if (event.type === 'picture') wanted -= 1
    yield event
  }
  if (wanted > 0) throw new Refusal({ word: 'web.interrupted' })
}

async function* lines(body, signal) {
  // Careful: streams are not async iterable in every current browser; the reader is.
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw signal.aborted ? error : new Refusal({ word: 'web.interrupted' })
    })
    if (done) return
    const parts = (rest + value).split('\n')
    rest = parts.pop()
    for (const line of parts) yield JSON.parse(line)
  }
}

/** A chosen file as base64, the way JSON can carry it. */
export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.addEventListener('load', () =>
      resolve(reader.result.slice(reader.result.indexOf(',') + 1)),
    )
    reader.addEventListener('error', () => reject(new Refusal({ word: 'web.image-unreadable' })))
    reader.readAsDataURL(file)
  })
}
