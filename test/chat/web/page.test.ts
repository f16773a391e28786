/**
 * Drawing on the page, with the built-in model: from the wish to the file, again, from a picture,
 * and not to the end.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { decodeImage, encodeImage } from '../../../src/engine/image.ts'
import { Visitor, draw, option, options, pictures, settle, skip, wishField } from './browser.ts'

describe('the page', { skip }, () => {
  let visitor: Visitor
  before(async () => {
    visitor = await Visitor.arrive()
  })
  after(() => visitor?.close())
  afterEach(() => visitor.leave())

  async function download(page: Page) {
    const waiting = page.waitForEvent('download')
    await page
      .getByRole('link', { name: /^Download/ })
      .first()
      .click()
    const file = await waiting
    return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) }
  }

  it('shows every step and previews, then the picture with seed, size and time', async () => {
    const page = await visitor.visit()

    await draw(page, 'a cat, blue background')

    await page.getByRole('img', { name: 'a cat, blue background' }).waitFor()
    const image = "document.querySelector('#pictures img')"
    assert.equal(await page.evaluate(`${image}.decode().then(() => ${image}.naturalWidth)`), 128)
    assert.match(await pictures(page).innerText(), /Seed \d+ · 128×128 · \d+\.\ds/)
    const lines: string[] = await page.evaluate('[...window.lines]')
    for (let index = 1; index <= 8; index++) {
      assert.ok(lines.some((line) => line.startsWith(`Step ${index} of 8 · `)))
    }
    const addresses: string[] = await page.evaluate('[...window.addresses]')
    const previews = addresses.filter((address) => address.startsWith('data:image/png;base64,'))
    assert.equal(previews.length, 8)
  })

  it('downloads the picture as a PNG named by its seed, the same for the same seed', async () => {
    const page = await visitor.visit()
    await options(page).click()
    await option(page, 'Seed').fill('42')

    await draw(page, 'a cat')
    const first = await download(page)
    await draw(page, 'a cat')
    const second = await download(page)

    const { width, height } = await decodeImage(first.bytes)
    assert.deepEqual([width, height, first.name], [128, 128, 'zimagine-42.png'])
    assert.deepEqual(first.bytes, second.bytes)
  })

  it('draws several pictures with consecutive seeds', async () => {
    const page = await visitor.visit()
    await options(page).click()
    await option(page, 'Seed').fill('7')
    await page.getByLabel('How many').selectOption('4')

    await draw(page, 'three balloons')

    const texts = await pictures(page).allInnerTexts()
    assert.deepEqual(
      texts.map((text) => /Seed (\d+)/.exec(text)?.[1]),
      ['7', '8', '9', '10'],
    )
  })

  it('draws a wish again with a new seed, before the older picture', async () => {
    const page = await visitor.visit()
    await draw(page, 'a dog')
    await wishField(page).fill('something else, not sent')

    await page.getByRole('button', { name: /^Again/ }).click()
    await settle(page)

    assert.equal(await page.getByRole('img', { name: 'a dog' }).count(), 2)
    const [newer, older] = await pictures(page).allInnerTexts()
    assert.notEqual(/Seed \d+/.exec(newer!)?.[0], /Seed \d+/.exec(older!)?.[0])
    assert.equal(await wishField(page).inputValue(), 'something else, not sent')
  })

  it('draws an example at once and keeps what was typed but not sent', async () => {
    const page = await visitor.visit()
    const first = 'three balloons, yellow background'
    const second = 'a big penguin on a pink background'

    await page.getByRole('button', { name: first }).click()
    await settle(page)
    assert.equal(await wishField(page).inputValue(), first)

    await wishField(page).fill('half a thou')
    await page.getByRole('button', { name: second }).click()
    await settle(page)
    assert.equal(await wishField(page).inputValue(), 'half a thou')
    assert.equal(await page.getByRole('img', { name: second }).count(), 1)
  })

  it('starts from a picture and lets go of it', async () => {
    const page = await visitor.visit()
    const data = new Uint8Array(64 * 64 * 3).fill(200)
    const png = Buffer.from(await encodeImage({ width: 64, height: 64, data }, 'png'))
    await options(page).click()

    await page
      .getByLabel('Start from a picture')
      .setInputFiles({ name: 'grey.png', mimeType: 'image/png', buffer: png })
    await page.getByRole('textbox', { name: 'Strength' }).fill('0.3')
    await draw(page, 'a cat')

    const lines: string[] = await page.evaluate('[...window.lines]')
    assert.ok(
      lines.some((line) => line.startsWith('Step 1 of 3 ')),
      lines.join('; '),
    )
    await page.getByRole('button', { name: 'Remove' }).click()
    assert.ok(await page.getByText('grey.png').isHidden())
    assert.ok(await page.getByRole('textbox', { name: 'Strength' }).isHidden())
  })

  it('takes a dropped picture and stays where it is', async () => {
    const page = await visitor.visit()
    await wishField(page).fill('half a thou')

    const dropped = await page.evaluateHandle(
      `(() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'a.png')); return data })()`,
    )
    await page.dispatchEvent('body', 'drop', { dataTransfer: dropped })

    await page.getByText('a.png').waitFor()
    assert.equal(await wishField(page).inputValue(), 'half a thou')
  })

  it('cancels at once, and the next wish is drawn', async () => {
    const page = await visitor.visit()
    await options(page).click()
    await option(page, 'Steps').fill('200')
    await option(page, 'Width').fill('512')
    await option(page, 'Height').fill('512')
    await wishField(page).fill('a cat')
    await wishField(page).press('Enter')
    await page.getByText(/^Step \d+ of 200/).waitFor()

    await page.getByRole('button', { name: 'Cancel' }).click()
    await settle(page)

    assert.equal(await pictures(page).count(), 0)
    assert.equal(await page.getByRole('status').innerText(), 'Cancelled.')
    assert.equal(await wishField(page).inputValue(), 'a cat')
    assert.ok(await page.getByRole('alert').isHidden())
    for (const name of ['Steps', 'Width', 'Height']) await option(page, name).fill('')
    await draw(page, 'a dog')
    assert.equal(await page.getByRole('img', { name: 'a dog' }).count(), 1)
  })
})
