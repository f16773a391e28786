/**
 * Visitors of the playground: the whole house as `npm start` opens it, Chromium before it, nothing
 * stood in for. What is on the page is found by its role, by the catalogue's words or by what its
 * buttons do, never by its look. Needs `/usr/bin/chromium` or the browser that CHROMIUM names;
 * without it the tests are skipped by name.
 */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type Locator, type Page, chromium } from 'playwright-core'
import { type App, start } from '../../src/app.ts'
import { type Locale, type MessageKey, catalogues } from '../../src/chat/i18n.ts'
import { readConfig } from '../../src/config.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why there can be no such test here, or false. */
export const skip = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath} (set CHROMIUM)`

const flags =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run ' +
  '--disable-background-networking --disable-component-update --disable-sync'
/** Nothing here takes nearly as long, but where something is wrong or a machine is very busy. */
const patienceMs = 60_000

/** Where somebody is and who, by the ids of the demo guilds. */
export type Whereabouts = {
  readonly guild: string
  readonly channel: string
  readonly member: string
}

/** A house at work and a browser, for the tests of a file. */
export class Playground {
  readonly #settings: Readonly<Record<string, string>>
  readonly #folder: string
  readonly #browser: Browser
  #app: App
  #isOpen = true
  /** What the browser complained of: exceptions, violations of the policy, failures to load. */
  #complaints: string[] = []

  private constructor(
    settings: Readonly<Record<string, string>>,
    folder: string,
    app: App,
    browser: Browser,
  ) {
    this.#settings = settings
    this.#folder = folder
    this.#app = app
    this.#browser = browser
  }

  /** Opens a house on an empty folder, with a database of its own unless one is given. */
  static async open(given: Readonly<Record<string, string>> = {}): Promise<Playground> {
    const folder = mkdtempSync(join(tmpdir(), 'playground-'))
    chmodSync(folder, 0o711) // As root, the database runs as another user.
    const settings = { PORT: '0', LOG_LEVEL: 'error', DATA_DIR: folder, ...given }
    const app = await start(readConfig(settings), 'start')
    const browser = await chromium.launch({ executablePath, args: flags.split(' ') })
    return new Playground({ ...settings, PORT: new URL(app.url!).port }, folder, app, browser)
  }

  /** Opens the page in a window that remembers nothing. */
  async visit(
    locale: Locale,
    { guild, channel, member }: Whereabouts,
    viewport = { width: 1_280, height: 900 },
  ): Promise<Visitor> {
    const context = await this.#browser.newContext({ locale, viewport })
    context.setDefaultTimeout(patienceMs)
    const page = await context.newPage()
    page.on('pageerror', (error) => this.#complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') this.#complaints.push(message.text())
    })
    await page.goto(`${this.#app.url}#${guild}/${channel}/${member}`)
    const visitor = new Visitor(page, locale)
    await visitor.settled()
    return visitor
  }

  /** Ends the house; whoever has the page open keeps it. */
  async stop(): Promise<void> {
    this.#isOpen = false
    await this.#app.close()
  }

  /** Starts the house anew where it was. */
  async startAgain(): Promise<void> {
    this.#app = await start(readConfig(this.#settings), 'start')
    this.#isOpen = true
  }

  /** Closes every window; fails if the browser complained, but for what `isExpected`. */
  async leave(isExpected = (_complaint: string) => false): Promise<void> {
    for (const context of this.#browser.contexts()) await context.close()
    const complaints = this.#complaints.filter((text) => !isExpected(text))
    this.#complaints = []
    assert.deepEqual(complaints, [])
  }

  async close(): Promise<void> {
    await this.#browser.close()
    if (this.#isOpen) await this.#app.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Somebody at the page. */
export class Visitor {
  readonly page: Page
  readonly locale: Locale
  /** Where one types. */
  readonly box: Locator
  /** Everything said and answered, oldest first. */
  readonly messages: Locator

  constructor(page: Page, locale: Locale) {
    this.page = page
    this.locale = locale
    this.box = page.getByRole('textbox', { name: this.word('web.wish'), exact: true })
    this.messages = page
      .getByRole('region', { name: this.word('web.messages') })
      .getByRole('list')
      .locator('> li[data-from]')
  }

  /** A sentence of the page's own, as the catalogue has it. */
  word(key: MessageKey, params: Readonly<Record<string, string>> = {}): string {
    return catalogues[this.locale][key].replaceAll(/\{(\w+)\}/g, (_, name) => params[name] ?? '')
  }

  /** Waits until the page follows its channel and has its conversation. */
  async settled(): Promise<void> {
    const welcome = this.page.getByText(this.word('web.welcome'))
    await welcome.or(this.messages).filter({ visible: true }).first().waitFor()
    await this.page.locator('#why').filter({ hasText: /./ }).waitFor({ state: 'attached' })
  }

  /** Types a line, sends it and waits until the house has answered; gives the line as it stands. */
  async say(text: string): Promise<Locator> {
    await this.box.fill(text)
    const send = this.page.getByRole('button', { name: this.word('web.send'), exact: true })
    await this.#answered('/api/say', () => send.click())
    const said = this.messages
      .filter({ hasText: text })
      .and(this.page.locator('[data-from=member]'))
    await said.last().waitFor()
    return said.last()
  }

  /** Says something and gives the answer that has these words. */
  async ask(text: string, answer: string | RegExp): Promise<Locator> {
    const said = await this.say(text)
    const id = await said.getAttribute('data-id')
    const after = this.page.locator(`li[data-id="${id}"] ~ li`).filter({ hasText: answer })
    await after
      .first()
      .waitFor()
      .catch(async (error: unknown) => {
        const seen = await this.page.locator(`li[data-id="${id}"] ~ li`).allInnerTexts()
        throw new Error(`after ${text} there is no ${answer}, but: ${seen.join(' | ')}`, {
          cause: error,
        })
      })
    return after.first()
  }

  /** Presses the button that does this, by the beginning of what it says (`v1:cancel:`). */
  async press(action: string, within: Locator = this.messages): Promise<void> {
    const button = within.locator(`button[data-action^="${action}"]`).last()
    await this.#answered('/api/press', () => button.click())
  }

  /** Fills in the form that is open, by the labels of its fields, and sends it. */
  async fillForm(fields: Readonly<Record<string, string>>): Promise<void> {
    const form = this.page.getByRole('dialog')
    for (const [label, value] of Object.entries(fields)) {
      await form.getByLabel(label, { exact: true }).fill(value)
    }
    await this.#answered('/api/press', () => form.locator('[type=submit]').click())
  }

  /** Replies to a picture of a message with words. */
  async reply(to: Locator, text: string, picture = 1): Promise<Locator> {
    const name = this.word('web.answer-number', { number: String(picture) })
    await to.getByRole('button', { name, exact: true }).click()
    return this.say(text)
  }

  /** The message that shows a job. */
  job(id: string): Locator {
    return this.page.locator(`li[data-id][data-job="${id}"]`)
  }

  /** The job of the newest message that shows one and has these words, but for some. */
  async newestJob(text: string | RegExp, but: readonly string[] = []): Promise<string> {
    const others = but.map((id) => `:not([data-job="${id}"])`).join('')
    const message = this.page.locator(`li[data-id][data-job]${others}`).filter({ hasText: text })
    await message.last().waitFor()
    return (await message.last().getAttribute('data-job')) ?? ''
  }

  /** Waits until a job shows a picture. */
  async drawn(id: string): Promise<Locator> {
    const message = this.job(id)
    await message.locator('[data-part=pictures] img').first().waitFor()
    return message
  }

  /** Goes elsewhere or becomes somebody else, as one does: by the switchers. */
  async switchTo(to: Partial<Whereabouts>): Promise<void> {
    for (const [group, id] of [
      ['guilds', to.guild],
      ['channels', to.channel],
      ['members', to.member],
    ] as const) {
      if (id === undefined) continue
      const choice = this.page.locator(`#${group} label`, {
        has: this.page.locator(`input[value="${id}"]`),
      })
      if (await choice.getByRole('radio').isChecked()) continue
      await this.#answered('/api/messages', () => choice.click())
    }
    await this.settled()
  }

  async #answered(path: string, act: () => Promise<void>): Promise<void> {
    const answer = this.page.waitForResponse((response) => response.url().includes(path))
    await Promise.all([answer, act()])
  }
}

/** The longest piece of a sentence that is the same whatever its arguments are. */
export function gist(locale: Locale, key: MessageKey): string {
  let depth = 0
  const pieces = ['']
  for (const character of catalogues[locale][key]) {
    if (character === '{') depth += 1
    if (depth === 0) pieces.push(`${pieces.pop()}${character}`)
    else if (pieces.at(-1) !== '') pieces.push('')
    if (character === '}') depth -= 1
  }
  const [longest = ''] = pieces.toSorted((one, other) => other.length - one.length)
  assert.ok(longest.length > 3, `${key} has no words of its own`)
  return longest.trim()
}
