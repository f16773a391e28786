/**
 * The page for everyone, with the built-in model: whoever mistypes, speaks Chinese, has no mouse,
 * holds a phone or prefers the dark.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { Visitor, draw, option, options, pictures, settle, skip, wishField } from './browser.ts'

describe('the page', { skip }, () => {
  let visitor: Visitor
  before(async () => {
    visitor = await Visitor.arrive()
  })
  after(() => visitor?.close())
  afterEach(() => visitor.leave())

  describe('says in a sentence what is wrong and loses nothing', () => {
    for (const [field, typed, sentence] of [
      ['Seed', 'abc', /^The seed must be .* abc\./],
      ['Width', '100', /^The width must be .* 100\./],
      ['Guidance', '31', /^Guidance must be .* 31\./],
    ] as const) {
      it(`when ${field} is ${typed}, and points to it`, async () => {
        const page = await visitor.visit()
        await options(page).click()
        await option(page, field).fill(typed)
        await options(page).click()

        await draw(page, 'a cat')

        assert.match(await page.getByRole('alert').innerText(), sentence)
        const input = option(page, field)
        assert.ok(await input.isVisible())
        assert.equal(await input.getAttribute('aria-invalid'), 'true')
        assert.equal(await page.evaluate('document.activeElement.name'), field.toLowerCase())
        assert.equal(await input.inputValue(), typed)
        assert.equal(await wishField(page).inputValue(), 'a cat')
        assert.equal(await pictures(page).count(), 0)
      })
    }

    it('when nothing is wished for, until something is', async () => {
      const page = await visitor.visit()

      await page.getByRole('button', { name: 'Draw' }).click()
      await page.getByRole('alert').waitFor()
      assert.match(await page.getByRole('alert').innerText(), /^Say what to draw/)

      await draw(page, 'a cat')
      assert.ok(await page.getByRole('alert').isHidden())
      assert.equal(await wishField(page).getAttribute('aria-invalid'), null)
    })

    it('when the starting picture is none', async () => {
      const page = await visitor.visit()
      const buffer = Buffer.from('not a picture')
      await options(page).click()
      const file = { name: 'a.png', mimeType: 'image/png', buffer }
      await page.getByLabel('Start from a picture').setInputFiles(file)

      await draw(page, 'a cat')

      assert.match(await page.getByRole('alert').innerText(), /PNG, JPEG or WebP/)
      assert.ok(await page.getByText('a.png').isVisible())
    })

    it('when Zimagine does not answer', async () => {
      const page = await visitor.visit()
      await page.context().setOffline(true)

      await draw(page, 'a cat')

      assert.match(await page.getByRole('alert').innerText(), /^Zimagine does not answer/)
      assert.equal(await wishField(page).inputValue(), 'a cat')
      // The very failure is the browser's complaint.
      await visitor.leave((complaint) => complaint.includes('INTERNET_DISCONNECTED'))
    })
  })

  describe('in Chinese', () => {
    it('is what a Chinese browser gets', async () => {
      const page = await visitor.visit({ locale: 'zh-CN' })

      await page.getByRole('textbox', { name: '想画什么？' }).fill('三个气球，黄色背景')
      await page.getByRole('button', { name: '开始画' }).click()
      await settle(page)

      assert.equal(await page.getByRole('img', { name: '三个气球，黄色背景' }).count(), 1)
      assert.match(await pictures(page).innerText(), /种子 \d+ · 128×128 · \d+\.\d秒/)
      assert.equal(await page.evaluate('document.documentElement.lang'), 'zh-CN')
    })

    it('is a switch away for every visible word, and typed text stays', async () => {
      const page = await visitor.visit()
      await draw(page, '猫')
      await options(page).click()
      await option(page, 'Seed').fill('-1')
      await draw(page, '两只狗')

      await page.getByRole('button', { name: '中文' }).click()

      const visible = await page.locator('body').innerText()
      const attributes: string[] = await page.evaluate(
        `[...document.querySelectorAll('[aria-label], [placeholder]')].map(
          (element) => element.getAttribute('aria-label') + ' ' + (element.placeholder ?? ''))`,
      )
      // What stays: our name, the other language's name, keys, the model's name, names of options.
      const known = /Zimagine|English|Enter|Shift|nano|seed|null/g
      assert.doesNotMatch([visible, ...attributes].join('\n').replaceAll(known, ''), /[a-z]{2}/i)
      assert.match(visible, /种子（seed）应为/)
      assert.equal(await page.getByRole('textbox', { name: '想画什么？' }).inputValue(), '两只狗')
      assert.equal(await option(page, '种子').inputValue(), '-1')
    })

    it('is remembered', async () => {
      const page = await visitor.visit()
      await page.getByRole('button', { name: '中文' }).click()

      await page.reload()

      await page.getByRole('button', { name: '开始画' }).waitFor()
      const chinese = page.getByRole('button', { name: '中文' })
      assert.equal(await chinese.getAttribute('aria-pressed'), 'true')
    })
  })

  describe('by keyboard alone', () => {
    it('draws, downloads nothing by accident, and draws again', async () => {
      const page = await visitor.visit()

      await page.keyboard.type('a cat')
      await page.keyboard.press('Enter')
      await page.getByRole('img', { name: 'a cat' }).waitFor()
      await settle(page)
      const isFocused = `document.activeElement.dataset.word === 'web.again'`
      for (let tabs = 0; tabs < 30; tabs++) {
        if (await page.evaluate<boolean>(isFocused)) break
        await page.keyboard.press('Tab')
      }
      await page.keyboard.press('Enter')
      await page.getByRole('img', { name: 'a cat' }).nth(1).waitFor()

      assert.equal(await pictures(page).count(), 2)
    })

    it('makes a new line with Shift+Enter and cancels with Escape', async () => {
      const page = await visitor.visit()
      await options(page).click()
      await option(page, 'Steps').fill('200')
      await wishField(page).focus()

      await page.keyboard.type('a cat,')
      await page.keyboard.press('Shift+Enter')
      await page.keyboard.type('blue background')
      assert.equal(await wishField(page).inputValue(), 'a cat,\nblue background')

      await page.keyboard.press('Enter')
      await page.getByText(/^Step \d+ of 200/).waitFor()
      await page.keyboard.press('Escape')
      await settle(page)
      assert.equal(await page.getByRole('status').innerText(), 'Cancelled.')
    })

    it('does not send with the Enter that ends Chinese typing', async () => {
      const page = await visitor.visit()
      await wishField(page).fill('mao')

      await page.evaluate(`document.activeElement.dispatchEvent(
        new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))`)

      assert.ok(await page.locator('#progress').isHidden())
      assert.equal(await pictures(page).count(), 0)
    })
  })

  for (const width of [320, 390]) {
    it(`fits a phone ${width} wide in both languages, with pictures, options and an error`, async () => {
      const page = await visitor.visit({
        viewport: { width, height: 700 },
        isMobile: true,
        hasTouch: true,
      })
      await options(page).tap()
      await page.getByLabel('How many').selectOption('2')
      await draw(page, `a cat ${'very'.repeat(60)}`)
      await option(page, 'Seed').fill('abc')
      await draw(page, 'a cat')

      for (const language of ['English', '中文']) {
        await page.getByRole('button', { name: language }).tap()
        const [content, view] = await page.evaluate<number[]>(
          '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
        )
        assert.equal(content, view)
        assert.equal(view, width)
      }
    })
  }

  it('is dark for those who prefer dark', async () => {
    const background = 'getComputedStyle(document.body).backgroundColor'

    const light = await (await visitor.visit({ colorScheme: 'light' })).evaluate(background)
    const dark = await (await visitor.visit({ colorScheme: 'dark' })).evaluate(background)

    assert.equal(light, 'rgb(250, 246, 240)')
    assert.equal(dark, 'rgb(22, 20, 18)')
  })
})
