/**
 * The whole house as `npm start` opens it, on a database of its own, and a browser before it: nothing
 * is stood in for. Needs `/usr/bin/chromium` or the browser that CHROMIUM names; without it the tests
 * are skipped by name.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core'
import { type App, start } from '../../../src/app.ts'
import { readConfig } from '../../../src/config.ts'
import { Visitor } from './visitor.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there can be no such test here, or false. */
export const skip = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath} (set CHROMIUM)`

const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
  '--disable-background-networking --disable-component-update --disable-sync'

/** A house at work and a browser. */
export class Scene {
  readonly #settings: Record<string, string>
  readonly #folder: string
  readonly #browser: Browser
  #app: App
  /** What the browser complained of: exceptions, violations of the policy, failures to load. */
  #complaints: string[] = []

  private constructor(
    settings: Record<string, string>,
    folder: string,
    app: App,
    browser: Browser,
  ) {
    this.#settings = settings
    this.#folder = folder
    this.#app = app
    this.#browser = browser
  }

  /** Opens a house on a database, with whatever settings a test needs. */
  static async open(databaseUrl: string, given: Record<string, string> = {}): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), 'zimagine-scene-'))
    const settings = {
      PORT: '0',
      LOG_LEVEL: 'error',
      DATA_DIR: folder,
      DATABASE_URL: databaseUrl,
      ...given,
    }
    const app = await start(readConfig(settings), 'start')
    const browser = await chromium.launch({ executablePath, args: flags.split(' ') })
    return new Scene({ ...settings, PORT: new URL(app.url!).port }, folder, app, browser)
  }

  /** Where the page is; the same after a restart. */
  get url(): string {
    return this.#app.url!
  }

  /** Opens the page in a window that remembers nothing, and waits until it is complete. */
  async visit(
    options: BrowserContextOptions = {},
    place = 'fox-den/pictures/mei',
  ): Promise<Visitor> {
    const context = await this.#browser.newContext({ locale: 'en-US', ...options })
    // Pictures take their time where others work too.
    context.setDefaultTimeout(60_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => this.#complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') this.#complaints.push(message.text())
    })
    await page.goto(`${this.url}/#${place}`)
    const visitor = new Visitor(page)
    await visitor.settled()
    return visitor
  }

  /** Ends the house as a signal would; whoever has the page open keeps it. */
  async stop(): Promise<void> {
    await this.#app.close()
  }

  /** Starts the house anew where it was. */
  async startAgain(): Promise<void> {
    this.#app = await start(readConfig(this.#settings), 'start')
  }

  /** Closes every window; fails if a browser complained, but for what `isExpected`. */
  async leave(isExpected = (_complaint: string) => false): Promise<void> {
    for (const context of this.#browser.contexts()) await context.close()
    const complaints = this.#complaints.filter((text) => !isExpected(text))
    this.#complaints = []
    assert.deepEqual(complaints, [])
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.#app.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
