/**
 * A member of the playground as its page is: says things over HTTP and reads the conversation. What
 * is said while nobody answers is not said; whoever says something learns which.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { until } from './processes.ts'

/** Who says it, and where. */
export type Place = { readonly guild: string; readonly channel: string; readonly member: string }

/** The demo members that are no moderators, who draw all the pictures here. */
export const places: readonly Place[] = [
  { guild: 'fox-den', channel: 'pictures', member: 'mei' },
  { guild: 'fox-den', channel: 'lounge', member: 'jonas' },
  { guild: 'workshop', channel: 'sketches', member: 'amara' },
  { guild: 'workshop', channel: 'showcase', member: 'lin' },
]

/** A message that shows a job. */
export type Shown = { readonly job: string; readonly hasPictures: boolean }

const transcript = z.object({
  messages: z.array(
    z.object({
      job: z.string().nullable(),
      message: z.object({ pictures: z.array(z.unknown()).exactOptional() }),
    }),
  ),
})

/**
 * Says something.
 *
 * @returns the nonce of what was said if it was answered, undefined if nobody was there to answer
 * @throws when it was refused
 */
export async function say(url: string, place: Place, text: string): Promise<string | undefined> {
  const nonce = randomUUID()
  const body = JSON.stringify({ ...place, locale: 'en-US', nonce, text, attachments: [] })
  const headers = { 'content-type': 'application/json', origin: url }
  try {
    const answer = await fetch(`${url}/api/say`, { method: 'POST', headers, body })
    const answered = await answer.text()
    if (answer.ok) return nonce
    // A house that has lost its database for a moment says so; so does one that is going down.
    if (answer.status >= 500) return undefined
    throw new Error(`${answer.status} for ${JSON.stringify(text)}: ${answered}`)
  } catch (error) {
    if (error instanceof TypeError) return undefined // Nobody listens, or not any more.
    throw error
  }
}

/** The messages of a channel that show jobs, oldest first. */
export async function shownIn(url: string, place: Place): Promise<Shown[]> {
  const query = String(new URLSearchParams({ ...place, locale: 'en-US' }))
  const answer = await fetch(`${url}/api/messages?${query}`)
  const { messages } = transcript.parse(await answer.json())
  return messages.flatMap(({ job, message }) =>
    job === null ? [] : [{ job, hasPictures: (message.pictures ?? []).length > 0 }],
  )
}

/** Waits until a channel shows pictures of so many jobs. */
export async function shown(url: string, place: Place, count: number): Promise<void> {
  await until(`pictures of ${count} jobs are shown`, async () => {
    const drawn = (await shownIn(url, place)).filter(({ hasPictures }) => hasPictures)
    return drawn.length >= count
  })
}
