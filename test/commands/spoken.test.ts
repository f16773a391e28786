/** Commands as people type and press them, through the router, in both languages. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commands } from '../../commands/index.ts'
import type { Invocation } from '../../src/chat/adapter.ts'
import type { Reply } from '../../src/chat/message.ts'
import { Router } from '../../src/chat/router.ts'
import { newAsked, newName } from '../jobs/admission.ts'
import { drawn, newContext, newServices } from './context.ts'

const router = new Router({
  services: newServices(),
  commands,
  log: ({ error }) => assert.fail(JSON.stringify(error)),
})

const answer = async (invocation: Invocation): Promise<Reply> => {
  const [reply] = await router.handle(invocation)
  return reply ?? assert.fail('expected an answer')
}
const textOf = (reply: Reply): string =>
  reply.kind === 'message' ? reply.message.text : `form ${reply.form.title}`

/** Somebody who has drawn a picture types or presses. */
const someone = async (locale: string) => {
  const { asked } = await newContext()
  const { guild, member } = asked
  const said = () => ({ ...newAsked({ guild, member, invocationId: newName() }), locale })
  const type = (text: string, facts: Partial<Invocation> = {}) =>
    answer({ ...said(), kind: 'text', text, attachments: [], ...facts } as Invocation)
  const press = (action: string, options?: Record<string, unknown>) =>
    answer({ ...said(), kind: 'action', action, ...(options && { options }) })
  const { id } = await drawn(await newContext({ guild, member }))
  return { id, type, press }
}

describe('typed', () => {
  for (const [locale, lines] of [
    [
      'en-US',
      [
        ['/imagine a bear --style watercolor --n 2', /^Queued as job/],
        ['/edit in the snow', /^Queued as job/],
        ['/again same-seed:yes --steps 20', /^Queued as job/],
        ['/queue mine', /of your jobs have not ended/],
        ['/gallery mine', /^One picture, page 1 of 1/],
        ['/gallery kept', /keep no pictures yet/],
        ['/styles', /^Say --style and a name/],
        ['/settings shape:16:9 consent:no', /^Saved/],
        ['/quota', /^Your quota is 300 s/],
        ['/privacy export', /with your pictures 1 to 1 of 1/],
        ['/privacy delete', /^This deletes for good/],
        ['/help', /^Say what should be seen/],
      ],
    ],
    [
      'zh-CN',
      [
        ['/画图 一只熊 --style 水彩 --n 2', /^已排队/],
        ['/改图 下雪', /^已排队/],
        ['/再来 同种子：是 --steps 20', /^已排队/],
        ['/队列 我的', /个任务还没画完/],
        ['/图库 我的', /^共 1 张图片/],
        ['/图库 收藏', /还没有收藏/],
        ['/风格', /^在描述里写/],
        ['/设置 画幅：16:9 授权：否', /^已保存/],
        ['/额度', /^你的额度是每/],
        ['/隐私 导出', /你的第 1 到 1 张图（共 1 张）/],
        ['/隐私 删除', /^这会永久删除/],
        ['/帮助', /^说出想看到的画面/],
      ],
    ],
  ] as const) {
    it(`every command is understood and answered in ${locale}`, async () => {
      const { type } = await someone(locale)
      for (const [line, expected] of lines) assert.match(textOf(await type(line)), expected, line)
    })
  }

  it('a refusal is a sentence in the language of the member', async () => {
    const { type } = await someone('zh-CN')
    assert.match(textOf(await type('/画图 狐狸 --sede 7')), /没有 --sede 这个参数/)
    assert.match(textOf(await type('/队列 全部')), /^只有管理员才能这样做/)
  })

  it('words that answer a picture change it', async () => {
    const { id, type } = await someone('en-US')
    const picture = { kind: 'ours', job: id, picture: 1 } as const
    const reply = await type('in the snow', { picture })
    assert.match(textOf(reply), /Edits are made by image-to-image/)
    assert.equal(reply.kind === 'message' && reply.message.quote, 'a red fox, in the snow')
  })
})

describe('pressed', () => {
  it('every button of a picture does what it says', async () => {
    const { id, press } = await someone('en-US')
    for (const [verb, expected] of [
      ['again', /^Queued as job/],
      ['edit', /^form/],
      ['keep', /^Kept: picture 1/],
      ['drop', /kept no longer/],
      ['info', /drawn\./],
      ['delete', /deleted for good/],
    ] as const) {
      assert.match(textOf(await press(`v1:${verb}:${id}:1`)), expected, verb)
    }
  })

  it('the form of an edit comes back as an edit', async () => {
    const { id, press } = await someone('en-US')
    const reply = await press(`v1:edit:${id}:1`, { instruction: 'in the snow' })
    assert.match(textOf(reply), /^Queued as job/)
  })

  it('the way out of everything is taken at the second press', async () => {
    const { press, type } = await someone('en-US')
    const reply = await type('/privacy delete')
    const button = reply.kind === 'message' ? reply.message.buttons?.[0]?.[0] : undefined
    assert.match(textOf(await press(button!.action)), /^Deleted: one job with one picture/)
  })
})
