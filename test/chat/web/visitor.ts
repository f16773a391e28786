/**
 * A person at the page, in either language. What is there is found by its role and its words, as a
 * screen reader finds it; what is done is typed, pressed and waited for, as a person does.
 */
import type { Locator, Page } from 'playwright-core'

/** Words that are somewhere: a whole name, or a pattern. */
export type Sought = string | RegExp

/** The page's own words, in each language. */
const words = {
  box: /^(?:What shall I draw\?|想画什么？)$/,
  send: /^(?:Send|发送)$/,
  place: /^(?:Where and who you are|位置与身份)/,
  reply: (picture: number) =>
    new RegExp(`^(?:Reply to picture ${picture}|回复第 ${picture} 张图)$`),
} as const

/** A window with the page. */
export class Visitor {
  readonly page: Page
  /** Where one types. */
  readonly box: Locator
  /** Everything said and answered, oldest first. */
  readonly messages: Locator
  /** The form that is asked for. */
  readonly form: Locator
  /** What is wrong, if anything is. */
  readonly alert: Locator

  constructor(page: Page) {
    this.page = page
    this.box = page.getByRole('textbox', { name: words.box })
    this.messages = page.locator('#talk > li')
    this.form = page.getByRole('dialog')
    this.alert = page.getByRole('alert')
  }

  /** Waits until the page has its words, its conversation and its numbers. */
  async settled(): Promise<void> {
    await this.page.locator('#welcome:visible, #talk > li').first().waitFor()
    await this.page.locator('#why').filter({ hasText: /./ }).waitFor({ state: 'attached' })
  }

  /** Types and sends, and waits for the answer of the house. */
  async say(text: string): Promise<void> {
    await this.box.fill(text)
    const send = this.page.getByRole('button', { name: words.send })
    await this.#answered('/api/say', () => send.click())
  }

  /** Presses the newest button of that name, of a message if one is given. */
  async press(name: Sought, message: Locator = this.messages): Promise<void> {
    const button = message.getByRole('button', { name }).last()
    await this.#answered('/api/press', () => button.click())
  }

  /** Replies to a picture of the newest message with these words, with words of one's own. */
  async reply(to: Sought, text: string, picture = 1): Promise<void> {
    const message = this.messages
      .filter({ hasText: to })
      .filter({ has: this.page.getByRole('button', { name: words.reply(picture) }) })
      .last()
    await message.getByRole('button', { name: words.reply(picture) }).click()
    await this.say(text)
  }

  /** Fills in the form that is open, by the names of its fields, and sends it. */
  async fillIn(fields: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(fields)) {
      const choice = this.form.getByRole('combobox', { name, exact: true })
      if ((await choice.count()) > 0) await choice.selectOption({ label: value })
      else await this.form.getByRole('textbox', { name, exact: true }).fill(value)
    }
    const send = this.form.locator('button[type=submit]')
    await this.#answered('/api/press', () => send.click())
  }

  /** The newest message with these words, once there is one. */
  async waitFor(text: Sought): Promise<Locator> {
    const message = this.messages.filter({ hasText: text }).last()
    await message.waitFor()
    return message
  }

  /** The newest picture of that description, once there is one. */
  async waitForPicture(altText: Sought): Promise<Locator> {
    const picture = this.messages.getByRole('img', { name: altText }).last()
    await picture.waitFor()
    return picture
  }

  /** Goes elsewhere, or becomes somebody else, by the names on the page. */
  async switchTo(to: {
    readonly guild?: string
    readonly channel?: string
    readonly member?: string
  }): Promise<void> {
    const opener = this.page.getByRole('button', { name: words.place })
    const isDrawer = await opener.isVisible()
    if (isDrawer) await opener.click()
    for (const [group, name] of [
      ['guilds', to.guild],
      ['channels', to.channel],
      ['members', to.member],
    ] as const) {
      if (name === undefined) continue
      const choice = this.page.locator(`#${group} label`).filter({ hasText: name })
      if (await choice.getByRole('radio').isChecked()) continue
      await this.#answered('/api/messages', () => choice.click())
    }
    if (isDrawer) await this.page.keyboard.press('Escape')
    await this.settled()
  }

  /** Switches the language, by its own name. */
  async language(name: 'English' | '中文'): Promise<void> {
    const button = this.page.getByRole('button', { name, exact: true })
    await this.#answered('/api/messages', () => button.click())
    const locale = name === 'English' ? 'en-US' : 'zh-CN'
    await this.page.locator(`html[lang=${locale}]`).waitFor()
  }

  /** What is said to those who listen, from now on: call the answer for all of it. */
  async listen(): Promise<() => Promise<string[]>> {
    await this.page.evaluate(`
      window.heard = []
      new MutationObserver(() => {
        const text = document.getElementById('spoken').textContent
        if (text !== '') window.heard.push(text)
      }).observe(document.getElementById('spoken'), { childList: true, characterData: true, subtree: true })`)
    return () => this.page.evaluate<string[]>('window.heard')
  }

  async #answered(path: string, act: () => Promise<void>): Promise<void> {
    const answer = this.page.waitForResponse((response) => response.url().includes(path))
    await Promise.all([answer, act()])
    // What asks is out of use until its answer is shown.
    await this.page.locator('button[aria-disabled=true]').first().waitFor({ state: 'hidden' })
  }
}
