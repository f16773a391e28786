/**
 * The page at work, before the whole house with the built-in model: pictures, replies, commands,
 * forms, places, languages, and a restart while it is open.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { newDatabase } from '../../store/database.ts'
import { Scene, skip } from './browser.ts'

const databaseUrl = skip === false ? await newDatabase() : ''

describe('the page', { skip }, () => {
  let scene: Scene
  before(async () => {
    scene = await Scene.open(databaseUrl)
  })
  after(() => scene?.close())
  afterEach(() => scene.leave())

  it('draws what is said, and shows the picture with its facts', async () => {
    const visitor = await scene.visit()

    await visitor.say('a cat, blue background --seed 42')

    await visitor.waitForPicture(/a cat, blue background/)
    const image = "document.querySelector('.pictures img')"
    const width = await visitor.page.evaluate(`${image}.decode().then(() => ${image}.naturalWidth)`)
    assert.equal(width, 128)
    const message = await visitor.waitFor('AI-generated')
    assert.match(await message.innerText(), /seed 42 .* 128x128 .* 8 steps/)
    assert.equal(await visitor.box.inputValue(), '')
  })

  it('shows progress and a preview in the message, and there cancels it', async () => {
    const visitor = await scene.visit()

    await visitor.say('three balloons --size 512x512 --steps 50 --n 4')
    const progress = visitor.page.getByRole('progressbar', { name: 'Progress' })
    await progress.waitFor()
    await visitor.messages.getByRole('img', { name: /^Preview/ }).waitFor()
    const message = visitor.messages.filter({ has: progress })
    const job = await message.getAttribute('data-job')
    await visitor.press('Cancel', message)

    await visitor.page
      .locator(`[data-job="${job}"]`)
      .getByText(/[Cc]ancel+ed/)
      .waitFor()
    assert.equal(await progress.count(), 0)
  })

  it('changes a picture that is replied to, and says to which one that is', async () => {
    const visitor = await scene.visit()
    await visitor.say('two dogs --seed 5')
    await visitor.waitForPicture(/two dogs/)

    await visitor.page.getByRole('button', { name: 'Reply to picture 1' }).last().click()
    await visitor.page.getByText('Changing picture 1: two dogs').waitFor()
    await visitor.page.keyboard.type('pink background')
    await visitor.page.keyboard.press('Enter')

    await visitor.waitForPicture(/pink background/)
    assert.ok(await visitor.page.getByText(/^Changing picture/).isHidden())
  })

  it('forgets with Escape which picture was replied to, and keeps the words', async () => {
    const visitor = await scene.visit()
    await visitor.say('an owl --seed 5')
    await visitor.waitForPicture(/an owl/)
    await visitor.page.getByRole('button', { name: 'Reply to picture 1' }).last().click()
    await visitor.page.keyboard.type('half a thou')

    await visitor.page.keyboard.press('Escape')

    assert.ok(await visitor.page.getByText(/^Changing picture/).isHidden())
    assert.equal(await visitor.box.inputValue(), 'half a thou')
  })

  describe('completes commands', () => {
    it('by arrows and Enter, then their options and the words of choices', async () => {
      const visitor = await scene.visit()
      const chosen = visitor.page.getByRole('option', { selected: true })
      const { keyboard } = visitor.page

      await keyboard.type('/')
      assert.match(await chosen.innerText(), /^\/imagine/)
      await keyboard.press('ArrowDown')
      assert.match(await chosen.innerText(), /^\/edit/)
      const active = await visitor.box.getAttribute('aria-activedescendant')
      assert.equal(await chosen.getAttribute('id'), active)
      await keyboard.press('ArrowUp')
      await keyboard.press('Enter')
      assert.equal(await visitor.box.inputValue(), '/imagine ')

      await keyboard.type('sha')
      await keyboard.press('Tab')
      assert.equal(await visitor.box.inputValue(), '/imagine shape:')
      await keyboard.type('16')
      await keyboard.press('Tab')
      assert.equal(await visitor.box.inputValue(), '/imagine shape:16:9 ')
    })

    it('with jobs that the house knows', async () => {
      const visitor = await scene.visit()
      await visitor.say('a fish --seed 6')
      await visitor.waitForPicture(/a fish/)
      const job = await (await visitor.waitFor('AI-generated')).getAttribute('data-job')

      await visitor.box.fill('/again job:')

      await visitor.page.getByRole('option', { name: job! }).waitFor()
      await visitor.page.keyboard.press('Tab')
      assert.equal(await visitor.box.inputValue(), `/again job:${job} `)
    })

    it('until Escape closes the list, and then Enter sends', async () => {
      const visitor = await scene.visit()
      const list = visitor.page.getByRole('listbox')
      await visitor.page.keyboard.type('/help')
      await list.waitFor()

      await visitor.page.keyboard.press('Escape')
      await list.waitFor({ state: 'hidden' })
      await visitor.page.keyboard.press('Enter')

      await visitor.waitFor('/imagine')
      assert.equal(await visitor.box.inputValue(), '')
    })

    it('in the words of the language, also after a full-width slash', async () => {
      const visitor = await scene.visit({ locale: 'zh-CN' })

      await visitor.page.keyboard.type('／画')
      await visitor.page.keyboard.press('Enter')

      assert.equal(await visitor.box.inputValue(), '/画图 ')
    })
  })

  describe('asks in a dialog', () => {
    it('for what a command lacks, and does it', async () => {
      const visitor = await scene.visit()
      await visitor.say('a penguin --seed 9')
      await visitor.waitForPicture(/a penguin/)

      await visitor.press(/^Edit/)
      const focused = 'document.activeElement.closest("dialog") !== null'
      assert.ok(await visitor.page.evaluate(focused))
      await visitor.page.keyboard.type('green background')
      await visitor.form.locator('button[type=submit]').click()

      await visitor.waitForPicture(/green background/)
      assert.ok(await visitor.form.isHidden())
    })

    it('and keeps what was filled in when it is closed, and says what is missing', async () => {
      const visitor = await scene.visit()
      await visitor.say('two rabbits --seed 9')
      await visitor.waitForPicture(/two rabbits/)

      await visitor.press(/^Edit/)
      await visitor.form.locator('button[type=submit]').click()
      assert.match(await visitor.form.getByRole('alert').innerText(), /^Fill in/)
      await visitor.page.keyboard.type('half a thou')
      await visitor.page.keyboard.press('Escape')
      await visitor.form.waitFor({ state: 'hidden' })
      assert.match(await visitor.page.evaluate('document.activeElement.textContent'), /^Edit/)

      await visitor.press(/^Edit/)
      assert.equal(await visitor.form.getByRole('textbox').first().inputValue(), 'half a thou')
    })
  })

  it('cancels a picture from the line beside the conversation', async () => {
    const visitor = await scene.visit()
    await visitor.say('a rocket --size 512x512 --steps 50 --n 4')

    const cancel = visitor.page.getByRole('complementary').getByRole('button', { name: /^Cancel/ })
    await cancel.first().click()

    await visitor.page.getByText('Nothing of yours is waiting.').waitFor()
    await visitor.waitFor(/[Cc]ancel+ed/)
  })

  it('has a conversation for each channel, and nobody sees what is another\u2019s', async () => {
    const mei = await scene.visit({}, 'fox-den/lounge/mei')
    const jonas = await scene.visit({}, 'fox-den/lounge/jonas')

    await mei.say('/help')
    await mei.say('a moon --seed 3')
    await jonas.waitForPicture(/a moon/)
    assert.equal(await jonas.messages.filter({ hasText: '/help' }).count(), 0)

    await jonas.switchTo({ channel: 'pictures' })
    assert.equal(await jonas.messages.filter({ hasText: 'a moon --seed 3' }).count(), 0)
    await jonas.switchTo({ channel: 'lounge', member: 'Mei' })
    await jonas.waitFor('/help')
    await jonas.switchTo({ guild: 'The Workshop', member: 'Tao' })
    assert.equal(await jonas.messages.count(), 0)
    assert.match(await jonas.page.title(), /The Workshop/)
  })

  it('speaks another language at once, and keeps what is typed, attached and replied to', async () => {
    const visitor = await scene.visit()
    await visitor.say('two cakes --seed 5')
    await visitor.waitForPicture(/two cakes/)
    await visitor.page.getByRole('button', { name: 'Reply to picture 1' }).last().click()
    const file = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('x') }
    await visitor.page.getByLabel('Attach a picture').setInputFiles(file)
    await visitor.box.fill('half a thou')

    await visitor.language('中文')

    assert.equal(await visitor.box.inputValue(), 'half a thou')
    await visitor.page.getByText('修改第 1 张图：two cakes').waitFor()
    await visitor.page.getByRole('button', { name: '移除 a.png' }).waitFor()
    await visitor.messages.getByText('小梅').first().waitFor()
    await visitor.page.getByRole('complementary', { name: '额度与队列' }).getByText('秒').waitFor()
  })

  it('finds after a reload what was typed, and after arrow up what was said', async () => {
    const visitor = await scene.visit()
    await visitor.say('/help')
    await visitor.page.keyboard.press('ArrowUp')
    assert.equal(await visitor.box.inputValue(), '/help')
    await visitor.page.keyboard.press('ArrowDown')
    assert.equal(await visitor.box.inputValue(), '')

    await visitor.box.fill('half a thou')
    await visitor.page.reload()

    await visitor.settled()
    assert.equal(await visitor.box.inputValue(), 'half a thou')
  })

  it('stays open while the house starts anew, says so, and goes on where it was', async () => {
    const visitor = await scene.visit()
    await visitor.say('a big tree --seed 4')
    await visitor.waitForPicture(/a big tree/)
    await visitor.box.fill('a star --seed 4')

    await scene.stop()
    await visitor.page.getByText(/^The connection is gone/).waitFor()
    await visitor.page.keyboard.press('Enter')
    await visitor.page.getByText(/^Zimagine does not answer/).waitFor()
    assert.equal(await visitor.box.inputValue(), 'a star --seed 4')
    await scene.startAgain()
    await visitor.page.getByText(/^The connection is gone/).waitFor({ state: 'hidden' })
    await visitor.page.keyboard.press('Enter')

    await visitor.waitForPicture(/a star/)
    assert.ok(
      await visitor.messages
        .getByRole('img', { name: /a big tree/ })
        .last()
        .isVisible(),
    )
    // The broken line is the browser's complaint.
    await scene.leave((complaint) => /ERR_|status of 50\d/.test(complaint))
  })

  it('shows older messages on demand, and stays where it was', async () => {
    const visitor = await scene.visit({}, 'workshop/showcase/lin')
    const headers = { 'content-type': 'application/json', origin: scene.url }
    const at = { guild: 'workshop', channel: 'showcase', member: 'lin', locale: 'en-US' }
    for (let k = 0; k < 30; k++) {
      const body = JSON.stringify({ ...at, nonce: `older-${k}`, text: '/quota', attachments: [] })
      await fetch(`${scene.url}/api/say`, { method: 'POST', headers, body })
    }
    await visitor.page.reload()
    await visitor.settled()
    assert.equal(await visitor.messages.count(), 50)

    await visitor.page.getByRole('button', { name: 'Show older messages' }).click()

    await visitor.messages.nth(59).waitFor()
    assert.equal(await visitor.messages.count(), 60)
    assert.ok(await visitor.page.getByRole('button', { name: 'Show older' }).isHidden())
  })
})
