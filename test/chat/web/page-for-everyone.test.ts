/**
 * The page for everyone, before the whole house: whoever has no mouse, does not see, types Chinese,
 * holds a phone, prefers the dark, mistypes, or means harm.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { newDatabase } from '../../store/database.ts'
import { encodeImage } from '../../../src/engine/image.ts'
import { Scene, skip } from './browser.ts'
import type { Visitor } from './visitor.ts'

const databaseUrl = skip === false ? await newDatabase() : ''

/** In the page: everything that is operated or looked at and has no name to be told by. */
const nameless = `[...document.querySelectorAll('button, a, input, textarea, select, img, meter, progress, [role]')]
  .filter((element) => element.checkVisibility())
  .filter((element) => element.getAttribute('alt') !== '' && element.role !== 'status')
  .filter((element) => {
    const { ariaLabel, alt, labels, textContent } = element
    const labelled = element.getAttribute('aria-labelledby')
    const inside = element.querySelector('img')?.alt
    const text = [ariaLabel, alt, labelled, labels?.[0]?.textContent, textContent, inside].join('')
    return text.trim() === '' && !['list', 'alert'].includes(element.role)
  })
  .map((element) => element.outerHTML.slice(0, 120))`

/** In the page: texts with less contrast than 4.5 to what is behind them. */
const faint = `(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    return canvas.getImageData(0, 0, 1, 1).data
  }
  const luminance = (color) => {
    const [red, green, blue] = [...rgba(color)].slice(0, 3).map((byte) => {
      const part = byte / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if (rgba(backgroundColor)[3] === 255) return backgroundColor
    }
    return 'white'
  }
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  }
  const found = []
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement
    const text = walker.currentNode.textContent.trim()
    if (text === '' || !element.checkVisibility() || element.closest('.unseen, .skip, noscript')) continue
    const ratio = contrast(getComputedStyle(element).color, behind(element))
    if (ratio < 4.5) found.push(ratio.toFixed(2) + ' ' + text.slice(0, 40))
  }
  const box = document.getElementById('box')
  const ratio = contrast(getComputedStyle(box, '::placeholder').color, behind(box))
  if (ratio < 4.5) found.push(ratio.toFixed(2) + ' placeholder')
  return found
})()`

/** In the page: everything that somebody reads or hears. */
const allWords = `[
  document.body.innerText,
  ...[...document.querySelectorAll('[aria-label], [placeholder], [alt]')].flatMap(
    (element) => [element.ariaLabel, element.placeholder, element.alt]),
].filter(Boolean).join('\\n')`

describe('the page', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await Scene.open(databaseUrl)
    const visitor = await scene.visit()
    await visitor.say('two foxes, blue background --seed 3 --n 2')
    await visitor.waitForPicture(/two foxes/)
    await visitor.say('/gallery mine')
    await visitor.say('/imagine')
    await visitor.say('/quota')
  })
  after(() => scene?.close())
  afterEach(() => scene.leave())

  async function png(): Promise<Buffer> {
    const data = new Uint8Array(64 * 64 * 3).fill(200)
    return Buffer.from(await encodeImage({ width: 64, height: 64, data }, 'png'))
  }

  /** Drops or pastes a picture, as a browser tells of it. */
  async function give(visitor: Visitor, type: 'drop' | 'paste', bytes: Buffer): Promise<void> {
    await visitor.page.evaluate(`(() => {
      const data = new DataTransfer()
      const bytes = Uint8Array.from(atob('${bytes.toString('base64')}'), (letter) => letter.charCodeAt(0))
      data.items.add(new File([bytes], 'grey.png', { type: 'image/png' }))
      const options = { bubbles: true, cancelable: true }
      document.getElementById('box').dispatchEvent('${type}' === 'drop'
        ? new DragEvent('drop', { ...options, dataTransfer: data })
        : new ClipboardEvent('paste', { ...options, clipboardData: data }))
    })()`)
  }

  describe('without a mouse', () => {
    it('begins in the box, sends with Enter, and reaches every button of the answer', async () => {
      const visitor = await scene.visit({}, 'fox-den/lounge/mei')
      const { keyboard } = visitor.page

      await keyboard.type('a cup --seed 8')
      await keyboard.press('Enter')
      await visitor.waitForPicture(/a cup/)
      const reached = new Set<string>()
      for (let tabs = 0; tabs < 30; tabs++) {
        await keyboard.press('Shift+Tab')
        reached.add(await visitor.page.evaluate('document.activeElement.innerText.trim()'))
      }

      const names = await visitor.messages.last().getByRole('button').allInnerTexts()
      assert.ok(names.length >= 5)
      for (const name of names) assert.ok(reached.has(name.trim()), name)
    })

    it('makes a new line with Shift+Enter', async () => {
      const visitor = await scene.visit()
      await visitor.page.keyboard.type('a cat,')
      await visitor.page.keyboard.press('Shift+Enter')
      await visitor.page.keyboard.type('blue background')

      assert.equal(await visitor.box.inputValue(), 'a cat,\nblue background')
    })

    it('becomes somebody else with the arrows, and the focus stays there', async () => {
      const visitor = await scene.visit()
      await visitor.page.getByRole('radio', { name: 'Mei' }).focus()

      await visitor.page.keyboard.press('ArrowDown')

      await visitor.page.getByText('Fox Den, as Jonas').waitFor()
      const focused = visitor.page.getByRole('radio', { name: 'Jonas' })
      assert.ok(await focused.evaluate('document.activeElement.value === "jonas"'))
    })

    it('jumps over everything to the box', async () => {
      const visitor = await scene.visit()
      await visitor.page.locator('body').click({ position: { x: 600, y: 300 } })
      await visitor.page.evaluate(
        'document.activeElement.blur(); document.querySelector(".skip").focus()',
      )

      await visitor.page.keyboard.press('Enter')
      await visitor.page.keyboard.type('a cat')

      assert.equal(await visitor.box.inputValue(), 'a cat')
    })
  })

  describe('without seeing it', () => {
    for (const locale of ['en-US', 'zh-CN']) {
      it(`has a name for everything, in ${locale}`, async () => {
        const visitor = await scene.visit({ locale })
        await give(visitor, 'drop', await png())
        await visitor.page.keyboard.type('/')
        await visitor.page.getByRole('option').first().waitFor()

        assert.deepEqual(await visitor.page.evaluate(nameless), [])
      })
    }

    it('has its landmarks, and headings in their order', async () => {
      const visitor = await scene.visit()

      for (const role of ['banner', 'navigation', 'main', 'complementary'] as const) {
        assert.equal(await visitor.page.getByRole(role).count(), 1, role)
      }
      const levels = await visitor.page.evaluate<string>(
        `[...document.querySelectorAll('h1, h2, h3')].filter((each) => each.checkVisibility()).map((each) => each.localName).join()`,
      )
      assert.equal(levels, 'h1,h2,h2,h2,h2')
    })

    it('speaks what is new and final, not each step, and not what was there before', async () => {
      const visitor = await scene.visit()
      assert.equal(await visitor.page.getByRole('status').innerText(), '')
      const heard = await visitor.listen()

      await visitor.say('a sun --size 256x256 --steps 40 --seed 3')
      await visitor.waitForPicture(/a sun/)

      const spoken = await heard()
      assert.ok(spoken.some((text) => text.startsWith('Here is your picture')))
      for (const text of spoken) assert.doesNotMatch(text, /Step \d/)
      assert.equal(spoken.filter((text) => text.includes('a sun')).length, 2, spoken.join('; '))
    })
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`can be read in the ${colorScheme}`, async () => {
      const visitor = await scene.visit({ colorScheme })
      await visitor.page.keyboard.type('/')
      await visitor.page.getByRole('option').first().waitFor()
      assert.deepEqual(await visitor.page.evaluate(faint), [])

      await visitor.box.fill('')
      await visitor.page.getByRole('option').first().waitFor({ state: 'hidden' })
      await visitor.page.locator('label.icon').hover()
      assert.deepEqual(await visitor.page.evaluate(faint), [])
    })
  }

  describe('in Chinese', () => {
    it('does not send with the Enter that ends typing by sound', async () => {
      const visitor = await scene.visit()
      const before = await visitor.messages.count()
      await visitor.box.fill('mao')

      await visitor.page.evaluate(`for (const form of [{ isComposing: true }, { keyCode: 229 }]) {
        const options = { key: 'Enter', bubbles: true, cancelable: true }
        document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { ...options, ...form }))
      }`)

      assert.equal(await visitor.box.inputValue(), 'mao')
      assert.equal(await visitor.messages.count(), before)
    })

    it('has every word, and no key of one shows', async () => {
      const visitor = await scene.visit({ locale: 'zh-CN' }, 'workshop/sketches/tao')
      await visitor.say('两只猫 --seed 3')
      await visitor.waitForPicture(/两只猫/)
      await visitor.say('/额度')

      const words: string = await visitor.page.evaluate(allWords)
      // What stays: our name, the other language's, keys of keyboards, the model's, flags and jobs.
      const known =
        /Zimagine|English|Enter|Shift|nano|AI|--seed|[0-9a-z]{10}|\d+x\d+|PNG|JPEG|WebP/g
      assert.doesNotMatch(words.replaceAll(known, ''), /[a-z]{2}/i)
    })

    it('is remembered', async () => {
      const visitor = await scene.visit()
      await visitor.language('中文')

      await visitor.page.reload()

      await visitor.page.getByRole('button', { name: '发送' }).waitFor()
      const chinese = visitor.page.getByRole('button', { name: '中文' })
      assert.equal(await chinese.getAttribute('aria-pressed'), 'true')
    })
  })

  it('shows no key of a word in English', async () => {
    const visitor = await scene.visit()
    await visitor.page.keyboard.type('/')
    await visitor.page.getByRole('option').first().waitFor()

    const words: string = await visitor.page.evaluate(allWords)
    assert.doesNotMatch(words, /\b(?:web|commands|errors|chat|job)\.[a-z]|\{\w+\}|undefined|null/)
  })

  for (const width of [360, 768]) {
    it(`fits a screen ${width} wide in both languages, with drawers and completions`, async () => {
      const viewport = { width, height: 720 }
      const visitor = await scene.visit({ viewport, isMobile: true, hasTouch: true })
      const { page } = visitor
      await visitor.say(`a cat ${'very'.repeat(60)} --seed 3`)
      await visitor.waitForPicture(/a cat/)
      const widths = `[document.documentElement.scrollWidth, document.getElementById('scroll').scrollWidth -
        document.getElementById('scroll').clientWidth]`

      for (const [language, queue] of [
        ['English', 'Queue'],
        ['中文', '队列'],
      ] as const) {
        if (language === '中文') await visitor.language(language)
        assert.deepEqual(await page.evaluate(widths), [width, 0])
        await page.getByRole('button', { name: queue, exact: true }).tap()
        assert.ok(await page.locator('#quota-text').isVisible())
        assert.deepEqual(await page.evaluate(widths), [width, 0])
        await page.keyboard.press('Escape')
        await page.locator('#commands').tap()
        await page.getByRole('option').first().waitFor()
        assert.deepEqual(await page.evaluate(widths), [width, 0])
        await visitor.box.fill('')
      }
      await visitor.switchTo({ member: '约纳斯' })
      assert.match(page.url(), /jonas$/)
    })
  }

  it('shows hostile words as words', async () => {
    const visitor = await scene.visit({}, 'workshop/showcase/amara')
    const hostile = `<img src=x onerror="window.harm=1"><script>window.harm=1</script> a cat\u202e`

    await visitor.say(hostile)
    await visitor.waitForPicture(/a cat/)
    await visitor.say(`/imagine ${hostile}`)
    await visitor.say(`/${hostile}`)

    await visitor.waitFor('<img src=x onerror="window.harm=1">')
    assert.equal(await visitor.page.evaluate('window.harm'), undefined)
    assert.equal(await visitor.page.locator('#talk script, #talk img[src=x]').count(), 0)
  })

  for (const type of ['drop', 'paste'] as const) {
    it(`takes a picture by ${type} and starts from it`, async () => {
      const visitor = await scene.visit({}, 'fox-den/lounge/ruth')
      await give(visitor, type, await png())
      await visitor.page.getByRole('button', { name: 'Remove grey.png' }).waitFor()

      await visitor.say(`a grey fox by ${type} --seed 3`)

      await visitor.waitForPicture(new RegExp(`a grey fox by ${type}`))
      assert.ok(await visitor.page.getByRole('list', { name: 'Attached pictures' }).isHidden())
    })
  }

  describe('says what is wrong and loses nothing', () => {
    it('when the picture is none', async () => {
      const visitor = await scene.visit()
      await visitor.box.fill('half a thou')
      const file = { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('x') }

      await visitor.page.getByLabel('Attach a picture').setInputFiles(file)

      assert.match(await visitor.alert.innerText(), /PNG, JPEG and WebP/)
      assert.equal(await visitor.box.inputValue(), 'half a thou')
    })

    it('when Zimagine refuses to take it', async () => {
      const visitor = await scene.visit()
      const long = 'a cat '.repeat(2_000)

      await visitor.say(long)

      await visitor.alert.waitFor()
      assert.equal(await visitor.box.inputValue(), long)
      await scene.leave((complaint) => complaint.includes('status of 400'))
    })

    it('when Zimagine does not answer, and sends it once in the end', async () => {
      const visitor = await scene.visit({}, 'workshop/sketches/lin')
      // The answer is lost on its way, not the question.
      await visitor.page.route('**/api/say', async (route) => {
        await route.fetch()
        await route.abort()
      })
      await visitor.box.fill('a lost cat --seed 3')
      await visitor.page.keyboard.press('Enter')
      await visitor.alert.waitFor()
      assert.match(await visitor.alert.innerText(), /^Zimagine does not answer/)
      assert.equal(await visitor.box.inputValue(), 'a lost cat --seed 3')

      await visitor.page.unroute('**/api/say')
      await visitor.page.keyboard.press('Enter')

      await visitor.waitForPicture(/a lost cat/)
      assert.ok(await visitor.alert.isHidden())
      assert.equal(
        await visitor.messages.filter({ hasText: /^[^]*a lost cat --seed 3$/ }).count(),
        1,
      )
      await scene.leave((complaint) => complaint.includes('ERR_FAILED'))
    })
  })
})
