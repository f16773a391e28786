/**
 * The playground over real sockets on a real Postgres, with a router of the test's own: what is said
 * is answered as the test wants, and what the router was handed can be looked at.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Adapter, Invocation, Showing } from '../../../src/chat/adapter.ts'
import { type Message, privately, type Reply } from '../../../src/chat/message.ts'
import type { Services } from '../../../src/chat/services.ts'
import type { ReplyView } from '../../../src/chat/web/routes.ts'
import { type Playground, serveWeb, type WebOptions } from '../../../src/chat/web/server.ts'
import type { View } from '../../../src/chat/web/views.ts'
import { RateLimit } from '../../../src/jobs/rate-limit.ts'
import { submit } from '../../../src/jobs/submit.ts'
import { JobEvents } from '../../../src/queue/events.ts'
import { FolderBlobs } from '../../../src/store/blobs/folder.ts'
import { markDispatched, markStarted, settleDone } from '../../../src/store/jobs.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../../src/store/prisma.ts'
import { newAsked, newSpec } from '../../jobs/admission.ts'

/** Where the tests are, as somebody who is nobody special. */
export const here = { guild: 'fox-den', channel: 'pictures', member: 'mei' } as const

/** What somebody gets who says or presses something. */
export type Answered = { readonly message: View | null; readonly replies: ReplyView[] }

/** A house around playgrounds: one database, one router. */
export class House {
  readonly url: string
  readonly database
  readonly #folder = mkdtempSync(join(tmpdir(), 'zimagine-web-'))
  readonly #rateLimit = new RateLimit()
  readonly #open: { close: () => Promise<void> }[] = []
  /** What the router was handed. */
  readonly heard: Invocation[] = []
  /** How the router answers. */
  answer: (said: Invocation) => readonly Reply[] = (said) => [
    privately({ text: said.kind === 'text' ? `you said ${said.text}` : 'done' }),
  ]
  readonly logged: string[] = []
  readonly services: Services

  constructor(databaseUrl: string) {
    this.url = databaseUrl
    this.database = openDatabase(databaseUrl)
    const now = (): number => Date.now()
    this.services = {
      database: this.database,
      blobs: new FolderBlobs(this.#folder),
      admission: {
        database: this.database,
        rateLimit: this.#rateLimit,
        predictWaitMs: () => 0,
        now,
      },
      cancelling: { database: this.database, cancelDispatch: async () => 'absent', now },
      outlookOf: () => ({ position: 1, estimate: undefined, hasDevice: true }),
      servedNow: () => [],
      removeShown: () => undefined,
      modelCard: async () => undefined,
      now,
    }
  }

  /** Serves a playground at a free port. */
  async serve(options: Partial<WebOptions> = {}): Promise<Playground> {
    const events = await JobEvents.open(this.url, (error) => this.logged.push(String(error)))
    const playground = await serveWeb({
      host: '127.0.0.1',
      port: 0,
      webToken: undefined,
      services: this.services,
      router: {
        handle: async (said) => {
          this.heard.push(said)
          return this.answer(said)
        },
      },
      commands: [],
      events,
      log: { error: (facts, text) => this.logged.push(`${text}: ${stackOf(facts.error)}`) },
      health: async () => ({ isOk: true }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      ...options,
    })
    this.#open.push(playground, events)
    return playground
  }

  /** Closes every playground. */
  async leave(): Promise<void> {
    for (const each of this.#open.splice(0)) await each.close()
  }

  /** Closes everything. */
  async close(): Promise<void> {
    await this.leave()
    await this.#rateLimit.close()
    await closeDatabase(this.database)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** A job of the playground with a picture; gives its id and the picture's key. */
  async draw(isPrivate = false): Promise<{ readonly id: string; readonly key: string }> {
    const asked = newAsked({ platform: 'web', ...here, roleIds: ['member'] })
    const { job } = await submit(this.services.admission, asked, newSpec({ isPrivate }))
    const key = await this.services.blobs.put(Buffer.from(`picture of ${job.id}`), 'image/png')
    const nowMs = Date.now()
    await inTransaction(this.database, async (transaction) => {
      const attempt = (await markDispatched(transaction, job.id, nowMs)) ?? 0
      await markStarted(transaction, job.id, { attempt, device: 'test:0', nowMs })
      const results = { keys: [key], device: 'test:0' }
      await settleDone(transaction, job.id, attempt, { costMicros: 1, results, nowMs })
    })
    return { id: job.id, key }
  }
}

/** A message with one picture. */
export function pictureMessage(key: string): Message {
  const picture = { key, width: 16, height: 16, altText: 'a fox', fileName: 'fox.png' }
  return { text: 'Here it is.', pictures: [picture] }
}

/** How the notifier would show a job. */
export function showing(nonce: string, visibleTo?: string): Showing {
  const signal = new AbortController().signal
  return { nonce, shown: undefined, isFinal: true, visibleTo, signal }
}

/** Shows a job's message as the notifier would, to one member alone if told so. */
export function show(
  adapter: Adapter,
  job: string,
  message: Message,
  { visibleTo, ...at }: { readonly message?: string; readonly visibleTo?: string } = {},
): ReturnType<Adapter['show']> {
  return adapter.show({ ...here, ...at, locale: 'en-US' }, message, showing(job, visibleTo))
}

/** Asks as the page would. */
export function ask(url: string, path: string, query: Record<string, string> = {}) {
  return fetch(`${url}${path}?${String(new URLSearchParams(query))}`)
}

/** Posts as the page would. */
export function post(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

let nonces = 0

/** A nonce that nothing else has. */
export function newNonce(): string {
  nonces += 1
  return `nonce-${nonces}`
}

/** Says something, as Mei unless told otherwise. */
export async function say(
  url: string,
  text: string,
  more: Record<string, unknown> = {},
): Promise<Answered> {
  const response = await post(url, '/api/say', { ...here, nonce: newNonce(), text, ...more })
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Answered
}

/** The messages that somebody sees. */
export async function messages(
  url: string,
  more: Record<string, string> = {},
): Promise<{ readonly messages: View[]; readonly hasMore: boolean }> {
  const response = await ask(url, '/api/messages', { ...here, ...more })
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as { messages: View[]; hasMore: boolean }
}

/** The texts that somebody sees. */
export async function texts(url: string, more: Record<string, string> = {}): Promise<string[]> {
  return (await messages(url, more)).messages.map(({ message }) => message.text)
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '') : String(error)
}
