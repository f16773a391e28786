/**
 * Embedded servers for tests, each in a folder of its own, and processes that own one and may be
 * killed. Whatever a test made is gone after it.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'

const ownerScript = fileURLToPath(new URL('embedded-owner.ts', import.meta.url))

const endings = new WeakMap<TestContext, (() => unknown)[]>()

/** Runs `end` after the test, the latest first: `t.after` alone would begin with the earliest. */
export function later(t: TestContext, end: () => unknown): void {
  const ends = endings.get(t) ?? []
  ends.unshift(end)
  if (endings.has(t)) return
  endings.set(t, ends)
  t.after(async () => {
    for (const each of ends) await each()
  })
}

/** A folder that `nobody` can enter, removed after the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'zimagine-postgres-'))
  chmodSync(folder, 0o755)
  later(t, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Starts a server that the end of the test stops. */
export async function start(t: TestContext, dataFolder: string, isDurable = false) {
  const postgres = await EmbeddedPostgres.start({ dataFolder, isDurable })
  later(t, () => postgres.close())
  return postgres
}

/** What an owner printed. */
export type Answer = { readonly url: string } | { readonly code: string; readonly params: object }

/** Starts a process that owns the data folder; `answer` is what it printed. */
export async function startOwner(
  t: TestContext,
  dataFolder: string,
  user: { uid?: number; gid?: number } = {},
  script = ownerScript,
): Promise<{ child: ChildProcess; answer: Answer }> {
  const child = spawn(process.execPath, [script, dataFolder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
    ...user,
  })
  later(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.stdin.end()
    await once(child, 'exit')
  })
  for await (const line of createInterface(child.stdout)) {
    return { child, answer: JSON.parse(line) as Answer }
  }
  throw new Error('the owner said nothing')
}

/** The URL of an owner that started. */
export function urlOf(answer: Answer): string {
  assert.ok('url' in answer, JSON.stringify(answer))
  return answer.url
}

/** Rows of one query on a connection of its own. */
export async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

/** The number of the server's process. */
export const serverPid = (dataFolder: string): number =>
  Number.parseInt(readFileSync(join(dataFolder, 'postgres/cluster/postmaster.pid'), 'utf8'), 10)

/** Waits until something is so; what fails is not yet so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await setTimeout(20)
}
