/**
 * A person at the page: Chromium, the server and the built-in model, nothing stood in for. What is on
 * the page is found by its role and its words, as a screen reader finds it. Needs `/usr/bin/chromium`
 * or the browser that CHROMIUM names; without it the tests are skipped by name.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { type App, start } from '../../../src/app.ts'
import { readConfig } from '../../../src/config.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there can be no such test here, or false. */
export const skip = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath} (set CHROMIUM)`

const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
  '--disable-background-networking --disable-component-update --disable-sync'

/** Runs in the page: keeps every line of progress and every address that a picture ever had. */
const watch = `
  addEventListener('DOMContentLoaded', () => {
    window.lines = new Set()
    window.addresses = new Set()
    new MutationObserver(() => {
      window.lines.add(document.getElementById('step').textContent)
      for (const image of document.querySelectorAll('#pictures img')) window.addresses.add(image.src)
    }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
  })`

/** A browser at a page of its own, with the real model behind it. */
export class Visitor {
  readonly #app: App
  readonly #browser: Browser
  /** What the browser complained of: exceptions, violations of the policy, failures to load. */
  #complaints: string[] = []

  private constructor(app: App, browser: Browser) {
    this.#app = app
    this.#browser = browser
  }

  static async arrive(): Promise<Visitor> {
    const app = await start(readConfig({ PORT: '0', LOG_LEVEL: 'error' }), 'start')
    return new Visitor(app, await chromium.launch({ executablePath, args: flags.split(' ') }))
  }

  /** Opens the page in a window that remembers nothing, and waits until it is complete. */
  async visit(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ locale: 'en-US', ...options })
    const page = await context.newPage()
    page.on('pageerror', (error) => this.#complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') this.#complaints.push(message.text())
    })
    await page.addInitScript(watch)
    await page.goto(this.#app.url ?? '')
    await page.getByText('5.1M').or(page.getByText('514万')).waitFor()
    return page
  }

  /** Closes every window; fails if a browser complained, but for what `isExpected`. */
  async leave(isExpected = (_complaint: string) => false): Promise<void> {
    for (const context of this.#browser.contexts()) await context.close()
    // A refused wish is an answer of status 400, which Chromium reports as a failure to load.
    const isRefusal = (complaint: string) => complaint.includes('status of 400')
    const complaints = this.#complaints.filter((text) => !isRefusal(text) && !isExpected(text))
    this.#complaints = []
    assert.deepEqual(complaints, [])
  }

  async close(): Promise<void> {
    await this.#browser.close()
    await this.#app.close()
  }
}

/** The field of the wish, on an English page. */
export const wishField = (page: Page) => page.getByRole('textbox', { name: 'What shall I draw?' })

/** What is drawn and being drawn. */
export const pictures = (page: Page) => page.getByRole('listitem')

/** The line that unfolds the options. */
export const options = (page: Page) => page.getByText('Options', { exact: true })

/** An option's field, by its label. */
export const option = (page: Page, name: string) => page.getByRole('textbox', { name, exact: true })

/** Waits until a drawing has come to its end. */
export async function settle(page: Page): Promise<void> {
  await page.locator('#progress').waitFor({ state: 'hidden' })
}

/** Types a wish, sends it and waits for the end. */
export async function draw(page: Page, wish: string): Promise<void> {
  await wishField(page).fill(wish)
  await wishField(page).press('Enter')
  await settle(page)
}
