/** What people type for whom and what they see on the page: names in any language, and ids. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type DemoGuild, idOf } from '../../../src/chat/web/place.ts'

const guild: DemoGuild = {
  id: 'workshop',
  row: 1,
  name: 'web.guild-workshop',
  channels: [{ id: 'showcase', name: 'web.channel-showcase' }],
  members: [
    {
      row: 1,
      id: 'lin',
      name: 'web.member-lin',
      role: 'member',
      roleIds: ['member'],
      locale: undefined,
      isModerator: false,
      isEditConsented: false,
      defaults: {},
    },
  ],
}

describe('idOf', () => {
  for (const [kind, said, id] of [
    ['member', 'lin', 'lin'],
    ['member', 'Lin', 'lin'],
    ['member', '小林', 'lin'],
    ['member', 'nobody', 'nobody'],
    ['channel', '展示', 'showcase'],
    ['channel', 'SHOWCASE', 'showcase'],
    ['channel', 'nowhere', undefined],
    ['role', 'moderator', 'moderator'],
  ] as const) {
    it(`takes the ${kind} ${said} for ${id ?? 'none'}`, () => {
      assert.equal(idOf(guild, kind, said), id)
    })
  }
})
