/**
 * What happens between people and the house in one sitting, through the page as it stands: refusals,
 * quotas, cancelling, replying to pictures, reports, and a restart under everybody's eyes. The house
 * has an embedded database, as `npm start` has.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Locator } from 'playwright-core'
import { words } from '../../src/chat/i18n.ts'
import { gist, Playground, skip, type Visitor } from './visitor.ts'

const told = words('en-US')
const said = words('zh-CN')
const pictures = { guild: 'fox-den', channel: 'pictures' } as const
const sketches = { guild: 'workshop', channel: 'sketches' } as const
/** Seconds of drawing on any machine, so that there is time to do something meanwhile. */
const slow = '--size 640x640 --steps 40'

describe('at the playground', { skip }, () => {
  let playground: Playground
  before(async () => {
    playground = await Playground.open()
  })
  after(() => playground?.close())
  // While the house is away, the browser says so.
  afterEach(() => playground.leave((text) => /ERR_CONNECTION|ERR_INCOMPLETE_CHUNKED/.test(text)))

  const mei = () => playground.visit('en-US', { ...pictures, member: 'mei' })

  /** Waits until a job has shown that it is being drawn. */
  const begun = (visitor: Visitor, job: string): Promise<void> =>
    visitor.job(job).getByRole('progressbar').waitFor()

  /** What the card of a job says of its lane. */
  async function info(visitor: Visitor, job: string): Promise<Locator> {
    return visitor.ask(`/gallery info ${job}`, told('info.state', { job, state: 'done' }))
  }

  it('refuses what it does not understand in a sentence, and takes it once it is put right', async () => {
    const visitor = await mei()
    await visitor.ask('/imagine a cat --stepz 2', 'Did you mean --steps?')
    await visitor.box.press('ArrowUp')
    assert.equal(await visitor.box.inputValue(), '/imagine a cat --stepz 2')
    await visitor.say('a cat --steps 2')
    await visitor.drawn(await visitor.newestJob('a cat'))
  })

  it('draws beyond the quota in the relaxed lane, until a moderator raises the quota', async () => {
    const visitor = await playground.visit('en-US', { ...pictures, member: 'ruth' })
    await visitor.say('/studio quota set member member:Jonas seconds:1 window:hour cap:100')

    await visitor.switchTo({ member: 'jonas' })
    const large = 'a rocket --steps 50 --n 4'
    await visitor.ask(`/imagine ${large}`, told('queued.relaxed-large'))
    const relaxed = await visitor.newestJob('a rocket')
    await visitor.drawn(relaxed)
    await (await info(visitor, relaxed)).getByText('in the relaxed lane').waitFor()

    await visitor.switchTo({ member: 'ruth' })
    await visitor.say('/studio quota set member member:Jonas seconds:1000 window:hour')
    await visitor.switchTo({ member: 'jonas' })
    await visitor.say('a moon --steps 2')
    const fast = await visitor.newestJob('a moon')
    await visitor.drawn(fast)
    await (await info(visitor, fast)).getByText('in the fast lane').waitFor()
  })

  it('refuses what is beyond the hard cap, until a moderator raises it', async () => {
    const visitor = await playground.visit('zh-CN', { ...sketches, member: 'tao' })
    await visitor.say('/工作室 额度 设定 某位成员 成员：阿玛拉 秒数：1 周期：小时 硬上限：1')
    await visitor.switchTo({ member: 'amara' })
    const wish = '四只猫 --steps 50 --n 4'
    await visitor.ask(wish, gist('zh-CN', 'errors.quota-too-small'))

    await visitor.switchTo({ member: 'tao' })
    await visitor.say('/工作室 额度 设定 某位成员 成员：阿玛拉 改为：不限')
    await visitor.switchTo({ member: 'amara' })
    await visitor.say(wish)
    await visitor.drawn(await visitor.newestJob('四只猫'))
    await visitor.ask('/额度', said('quota.unlimited', { rule: 'member' }))
  })

  it('stops a picture that is being drawn, and gives the quota back', async () => {
    const visitor = await mei()
    await visitor.say(`a penguin ${slow}`)
    const job = await visitor.newestJob('a penguin')
    await begun(visitor, job)

    await visitor.press('v1:cancel:', visitor.job(job))

    await visitor
      .job(job)
      .getByText(told('job.cancelled', { by: 'member', job }))
      .waitFor()
    await visitor.ask('/queue', told('queue.mine', { count: 0 }))
    const card = await visitor.ask(
      `/gallery info ${job}`,
      told('info.state', { job, state: 'cancelled' }),
    )
    assert.equal(await card.getByRole('img').count(), 0)
  })

  it('changes a picture that is replied to', async () => {
    const visitor = await playground.visit('zh-CN', { ...sketches, member: 'lin' })
    await visitor.say('一只企鹅 --steps 2')
    const first = await visitor.newestJob('一只企鹅')

    await visitor.reply(await visitor.drawn(first), '粉色背景 --steps 2')

    const edited = await visitor.newestJob('一只企鹅，粉色背景')
    await visitor.drawn(edited)
    await visitor
      .ask(`/图库 详情 ${edited}`, said('info.made-of', { jobs: first }))
      .then((card) => card.getByText(said('info.state', { job: edited, state: 'done' })).waitFor())
  })

  it('shows a report to the moderators, and their answer to everybody whom it is about', async () => {
    const owner = await mei()
    await owner.say('an apple --steps 2')
    const job = await owner.newestJob('an apple')
    await owner.drawn(job)

    const reporter = await playground.visit('en-US', { ...pictures, member: 'jonas' })
    await reporter.press('v1:report:', reporter.job(job))
    await reporter.fillForm({ [told('commands.report.reason.name')]: 'that apple is mine' })
    await reporter.messages.filter({ hasText: gist('en-US', 'report.done') }).waitFor()

    const moderator = await playground.visit('en-US', { ...pictures, member: 'ruth' })
    const list = await moderator.ask('/studio reports', 'that apple is mine')
    const cover = list.getByRole('link', { name: moderator.word('web.uncover') })
    await cover.click()
    await cover.waitFor({ state: 'detached' })
    await list.getByRole('link').getByRole('img').waitFor()
    await moderator.press('v1:uphold:', list)

    await owner
      .job(job)
      .getByText(told('job.removed', { count: 1 }))
      .waitFor()
    assert.equal(await owner.job(job).getByRole('img').count(), 0)
    await reporter.say('/help')
    const facts = { kind: 'report', state: 'upheld', job, picture: 1, rule: '' }
    await reporter.messages.filter({ hasText: told('notice.told', facts) }).waitFor()
    await owner.say('/help')
    const removed = { ...facts, kind: 'removed' }
    await owner.messages.filter({ hasText: told('notice.told', removed) }).waitFor()
  })

  it('goes on after a restart with the same page open: what was asked is drawn, more can be said', async () => {
    const visitor = await mei()
    await visitor.say(`a balloon ${slow}`)
    const job = await visitor.newestJob('a balloon')
    await begun(visitor, job)
    await visitor.box.fill('a sun --steps 2')

    await playground.stop()
    await visitor.page.getByText(visitor.word('web.offline')).waitFor()
    await playground.startAgain()

    await visitor.page.getByText(visitor.word('web.offline')).waitFor({ state: 'hidden' })
    await visitor.drawn(job)
    assert.equal(await visitor.job(job).count(), 1)
    assert.equal(await visitor.box.inputValue(), 'a sun --steps 2')
    await visitor.box.press('Enter')
    await visitor.drawn(await visitor.newestJob('a sun'))
  })
})
