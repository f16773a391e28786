/**
 * Every command there is, in both languages, as people type it into the page: what it answers, word
 * for word as the catalogue has it, and what is true afterwards. A command that is said by nobody
 * here fails the file.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Locator } from 'playwright-core'
import { commands } from '../../commands/index.ts'
import { pathOf } from '../../src/chat/command.ts'
import { Grammar } from '../../src/chat/grammar.ts'
import { type MessageKey, words } from '../../src/chat/i18n.ts'
import { labelsOf } from '../../src/chat/labels.ts'
import { closeDatabase, type Database, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'
import { gist, Playground, skip, type Visitor } from './visitor.ts'

const databaseUrl = await newDatabase()
const grammar = new Grammar(commands)
const paths = commands.flatMap(({ name, actions }) =>
  Object.keys(actions).map((action) => pathOf(name, action)),
)

/** One demo guild for each language, so that neither finds what the other has done. */
const casts = {
  'en-US': { guild: 'fox-den', channel: 'pictures', other: 'lounge', by: ['mei', 'ruth', 'jonas'] },
  'zh-CN': {
    guild: 'workshop',
    channel: 'sketches',
    other: 'showcase',
    by: ['amara', 'tao', 'lin'],
  },
} as const

describe('in the playground', { skip }, () => {
  let playground: Playground
  let database: Database
  before(async () => {
    database = openDatabase(databaseUrl, 2)
    playground = await Playground.open({ DATABASE_URL: databaseUrl })
  })
  after(async () => {
    await playground?.close()
    await closeDatabase(database)
  })

  for (const locale of ['en-US', 'zh-CN'] as const) {
    describe(`in ${locale}`, () => {
      const told = words(locale)
      const { guild, channel, other, by } = casts[locale]
      const [memberId, moderatorId, otherId] = by
      const name = (id: string): string => told(`web.member-${id}` as MessageKey)
      /** The line of this language. */
      const line = (english: string, chinese: string): string =>
        locale === 'en-US' ? english : chinese
      const visited = new Set<string>()
      let member: Visitor
      let moderator: Visitor
      let operator: Visitor
      /** The member's first job. */
      let first = ''
      before(async () => {
        const visit = (member: string) => playground.visit(locale, { guild, channel, member })
        ;[member, moderator, operator] = [
          await visit(memberId),
          await visit(moderatorId),
          await visit('vera'),
        ]
      })
      after(() => playground.leave())

      /** Says a command's line and gives its answer. */
      function ask(
        visitor: Visitor,
        text: string,
        key: MessageKey,
        params?: Readonly<Record<string, string | number>>,
      ): Promise<Locator> {
        visited.add(grammar.read(text, { hasPicture: false, labels: labelsOf(locale) }).path)
        const answer = params === undefined ? gist(locale, key) : told(key, params)
        return visitor.ask(text, answer)
      }

      const rows = { guild: { platformId: guild } }
      const memberRow = (platformId: string) =>
        database.member.findFirstOrThrow({ where: { ...rows, platformId } })
      const guildRow = () => database.guild.findFirstOrThrow({ where: { platformId: guild } })
      const settings = async () => (await guildRow()).settings as Readonly<Record<string, unknown>>

      it('draws, changes and draws again', async () => {
        const wish = line('a red fox', '一只狐狸')
        const say = line(`/imagine ${wish} --seed 7 --steps 2`, `/画图 ${wish} --seed 7 --steps 2`)
        await ask(member, say, 'queued.accepted')
        first = await member.newestJob(wish)
        await member.drawn(first)

        await ask(member, line('/edit a blue fox', '/改图 一只蓝狐狸'), 'queued.edit-described')
        const edit = await member.newestJob(line('blue', '蓝'))
        await member.drawn(edit)
        await ask(member, line(`/again ${first}`, `／再来　${first}`), 'queued.accepted')
        const again = await member.newestJob(wish, [first, edit])
        await member.drawn(again)

        const kinds = await database.job.findMany({
          where: { member: { platformId: memberId, ...rows } },
          orderBy: { createdAt: 'asc' },
          select: { kind: true, parentId: true, state: true },
        })
        assert.deepEqual(kinds, [
          { kind: 'imagine', parentId: null, state: 'done' },
          { kind: 'edit', parentId: first, state: 'done' },
          { kind: 'again', parentId: first, state: 'done' },
        ])
      })

      it('shows the queue, and cancels what has not ended', async () => {
        await ask(member, line('/queue', '/队列'), 'queue.mine', { count: 0 })
        const all = line('/queue all', '/队列 全部')
        await ask(moderator, all, 'queue.all', { count: 0, shown: 0 })
        const cancel = line(`/queue cancel ${first}`, `/队列 取消 ${first}`)
        await ask(member, cancel, 'queue.cancel-ended', { job: first })
      })

      it('keeps pictures in a gallery, tells about them and deletes them', async () => {
        const job = first
        const mine = await ask(member, line('/gallery', '/图库'), 'gallery.page', {
          count: 3,
          page: 1,
          pages: 1,
        })
        assert.equal(await mine.getByRole('img').count(), 3)
        const keep = line(`/gallery keep ${job}`, `/图库 收下 ${job}`)
        await ask(member, keep, 'gallery.kept', { job, picture: 1 })
        const kept = line('/gallery kept', '/图库 收藏')
        await ask(member, kept, 'gallery.page', { count: 1, page: 1, pages: 1 })
        const info = line(`/gallery info ${job}`, `/图库 详情 ${job}`)
        await ask(member, info, 'info.state', { job, state: 'done' })
        const drop = line(`/gallery drop ${job}`, `/图库 移出 ${job}`)
        await ask(member, drop, 'gallery.dropped', { count: 1, job })
        await ask(member, kept, 'gallery.kept-empty', {})
        const remove = line(`/gallery delete ${job}`, `/图库 删除 ${job}`)
        await ask(member, remove, 'gallery.deleted', { count: 1, job })
        await member
          .job(job)
          .getByText(told('job.removed', { count: 1 }))
          .waitFor()
      })

      it('lists styles, help, the quota and settings, which hold from then on', async () => {
        await ask(member, line('/styles', '/风格'), 'styles.about')
        await ask(member, line('/help', '/帮助'), 'help.about', {})
        const quota = await ask(member, line('/quota', '/额度'), 'quota.lanes', {})
        await quota.getByText(gist(locale, 'quota.left')).waitFor()
        const set = line('/settings consent:yes count:2', '/设置 授权：是 张数：2')
        const answer = await ask(member, set, 'settings.changed', {})
        await answer.getByText(told('settings.consent', { consent: 'yes' })).waitFor()
        const { isEditConsented, defaults } = await memberRow(memberId)
        assert.deepEqual([isEditConsented, defaults], [true, { count: 2 }])
      })

      it('takes reports and appeals, which moderators answer', async () => {
        const wish = line('a sunflower', '一朵向日葵')
        const word = line('sunflower', '向日葵')
        const job = (await database.job.findFirstOrThrow({ where: { parentId: first, ...rows } }))
          .id
        const report = line(`/report ${job} it is a copy`, `/举报 ${job} 抄来的`)
        await ask(member, report, 'report.done')
        const add = line(`/studio words add ${word}`, `/工作室 屏蔽词 添加 ${word}`)
        await ask(moderator, add, 'studio.word-added', { word, was: 'other' })
        const draw = line(`/imagine ${wish}`, `/画图 ${wish}`)
        await ask(member, draw, 'errors.prompt-refused', { rule: word })
        await ask(member, line('/appeal it is a plant', '/申诉 它只是植物'), 'appeal.done')

        const list = line('/studio reports', '/工作室 举报')
        await ask(moderator, list, 'studio.reports', { open: 2, page: 1, pages: 1 })
        const open = await database.report.findMany({ where: rows, orderBy: { id: 'asc' } })
        const [reported = 0, appealed = 0] = open.map(({ id }) => id)
        const dismiss = line(
          `/studio reports dismiss ${reported} it is not`,
          `/工作室 举报 驳回 ${reported} 不是`,
        )
        await ask(moderator, dismiss, 'studio.dismissed', { report: reported, kind: 'report' })
        const uphold = line(`/studio reports uphold ${appealed}`, `/工作室 举报 成立 ${appealed}`)
        await ask(moderator, uphold, 'studio.upheld', { report: appealed, kind: 'appeal' })

        const test = line(`/studio words test ${wish}`, `/工作室 屏蔽词 测试 ${wish}`)
        await ask(moderator, test, 'studio.words-tested', { hits: 1 })
        const words = line('/studio words list', '/工作室 屏蔽词 列表')
        await ask(moderator, words, 'studio.words', { count: 1, page: 1, pages: 1 })
        const remove = line(`/studio words remove ${word}`, `/工作室 屏蔽词 移除 ${word}`)
        await ask(moderator, remove, 'studio.word-removed', { word })
        await ask(moderator, words, 'studio.words', { count: 0, page: 1, pages: 0 })
      })

      it('lets moderators set quotas and see them', async () => {
        const set = line(
          '/studio quota set everyone seconds:100 window:hour',
          '/工作室 额度 设定 每位成员 秒数：100 周期：小时',
        )
        await ask(moderator, set, 'studio.quota-set')
        const { refillMicros } = await database.quota.findFirstOrThrow({ where: rows })
        assert.equal(Number(refillMicros), 100e6)
        await ask(moderator, line('/studio quota', '/工作室 额度'), 'studio.quota-shown', {})
        const reset = line(
          `/studio quota reset ${name(memberId)}`,
          `/工作室 额度 重置 ${name(memberId)}`,
        )
        await ask(moderator, reset, 'studio.quota-reset')
      })

      it('lets moderators pause drawing and close channels, which refuses what is asked', async () => {
        const draw = line('/imagine a cat', '/画图 一只猫')
        const reason = line('a break', '休息一下')
        await ask(
          moderator,
          line(`/studio pause ${reason}`, `/工作室 暂停 ${reason}`),
          'studio.paused',
          {},
        )
        await ask(member, draw, 'errors.guild-paused', { reason })
        await ask(moderator, line('/studio resume', '/工作室 恢复'), 'studio.resumed', {
          was: 'yes',
        })

        const here = told(`web.channel-${channel}` as MessageKey)
        const deny = line(`/studio channels deny ${here}`, `/工作室 频道 关闭 ${here}`)
        await ask(moderator, deny, 'studio.channel-set')
        await ask(member, draw, 'errors.channel-closed', {})
        const list = line('/studio channels', '/工作室 频道')
        await ask(moderator, list, 'studio.channels', { allowed: 0, denied: 1 })
        const allow = line(`/studio channels allow ${other}`, `/工作室 频道 允许 ${other}`)
        await ask(moderator, allow, 'studio.channel-set')
        assert.deepEqual(
          [(await settings()).allowedChannels, (await settings()).deniedChannels],
          [[other], [channel]],
        )
        const reset = line('/studio channels reset', '/工作室 频道 重置')
        await ask(moderator, reset, 'studio.channels-reset', { allowed: 1, denied: 1 })
        assert.deepEqual((await settings()).allowedChannels, [])
      })

      it('lets moderators see and change settings, and operators the weight', async () => {
        const show = line('/studio settings', '/工作室 设置')
        await ask(moderator, show, 'studio.settings', {})
        const set = line('/studio settings set hasPreviews no', '/工作室 设置 设定 显示绘制过程 否')
        await ask(moderator, set, 'studio.setting-set')
        const weight = line('/studio weight 3', '/工作室 权重 3')
        await ask(moderator, weight, 'errors.not-allowed', {
          needed: 'operator',
          verb: 'studio weight',
        })
        await ask(operator, weight, 'studio.weight', { was: 1, is: 3 })
        assert.equal((await guildRow()).weight, 3)
      })

      it('lets moderators see the queue, cancel in it and clear it', async () => {
        const view = line('/studio queue', '/工作室 队列')
        await ask(moderator, view, 'queue.all', { count: 0, shown: 0 })
        const cancel = line(`/studio queue cancel ${first}`, `/工作室 队列 取消 ${first}`)
        await ask(moderator, cancel, 'queue.cancel-ended', { job: first })
        const clear = line('/studio queue clear', '/工作室 队列 清空')
        const nothing = { jobs: 0, whose: 'everyone', name: '' }
        await ask(moderator, clear, 'studio.clear-sure', nothing)
      })

      it('lets moderators block members and make moderators', async () => {
        const who = name(otherId)
        // The house calls people what they were called when they last came.
        await member.switchTo({ member: otherId })
        await ask(member, line('/help', '/帮助'), 'help.about', {})
        await member.switchTo({ member: memberId })
        const block = line(`/studio block ${who} hours:2`, `/工作室 禁止 ${who} 小时：2`)
        await ask(moderator, block, 'studio.blocked', { name: who, hours: 2 })
        assert.equal(await database.block.count({ where: rows }), 1)
        const unblock = line(`/studio unblock ${who}`, `/工作室 解禁 ${who}`)
        await ask(moderator, unblock, 'studio.unblocked', { name: who })
        assert.equal(await database.block.count({ where: rows }), 0)
        const add = line(`/studio moderator add ${who}`, `/工作室 管理员 添加 ${who}`)
        await ask(moderator, add, 'studio.moderator-added', { name: who, was: 'other' })
        assert.equal((await memberRow(otherId)).roleBits, 1)
        const remove = line(`/studio moderator remove ${who}`, `/工作室 管理员 移除 ${who}`)
        await ask(moderator, remove, 'studio.moderator-removed', { name: who, was: 'other' })
        assert.equal((await memberRow(otherId)).roleBits, 0)
      })

      it('lets moderators add styles, which can be drawn in, and take them away', async () => {
        const add = line(
          '/studio styles add mosaic template:"{prompt}, made of small tiles"',
          '/工作室 风格 添加 马赛克 模板：“{prompt}，小瓷砖拼成”',
        )
        const style = line('mosaic', '马赛克')
        await ask(moderator, add, 'studio.style-added', { style, was: 'none' })
        const list = await ask(member, line('/styles', '/风格'), 'styles.about')
        await list.getByText(style, { exact: true }).waitFor()
        const remove = line(`/studio styles remove ${style}`, `/工作室 风格 移除 ${style}`)
        await ask(moderator, remove, 'studio.style-removed', { style })
        assert.equal(await database.style.count({ where: rows }), 0)
      })

      it('writes down what moderators have done, in words', async () => {
        const audit = await ask(moderator, line('/studio audit', '/工作室 记录'), 'studio.audit', {
          page: 1,
          pages: 2,
        })
        await audit.getByText(told('audit.weight set', { was: 1, is: 3 })).waitFor()
        const style = line('mosaic', '马赛克')
        await audit.getByText(told('audit.moderator added', { target: name(otherId) })).waitFor()
        await audit
          .getByText(gist(locale, 'audit.style removed'))
          .or(audit.getByText(style))
          .first()
          .waitFor()
      })

      it('gives a member everything, and deletes everything', async () => {
        const answer = await ask(member, line('/privacy', '/隐私'), 'privacy.export')
        const download = member.page.waitForEvent('download')
        await answer.getByRole('link').last().click()
        assert.equal((await download).suggestedFilename(), 'zimagine-1.zip')

        const remove = line('/privacy delete', '/隐私 删除')
        const asked = await ask(member, remove, 'privacy.delete-ask')
        await member.press('v1:privacy-delete:yes', asked)
        await member.messages
          .filter({ hasText: told('privacy.deleted', { jobs: 3, pictures: 2 }) })
          .waitFor()
        assert.equal(
          await database.job.count({ where: { member: { platformId: memberId, ...rows } } }),
          0,
        )
      })

      it('leaves no command unsaid', () => {
        assert.deepEqual(
          paths.filter((path) => !visited.has(path)),
          [],
        )
      })
    })
  }
})
