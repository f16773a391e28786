/** Settings as moderators type and read them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { defaultSettings } from '../../src/core/guild.ts'
import {
  settingNames,
  type SettingName,
  settingText,
  withTyped,
} from '../../src/core/setting-text.ts'
import { refusalOf } from './refusal.ts'

const guild = { settings: defaultSettings, locale: 'en-US' }

describe('a setting', () => {
  it('typed as it is shown is what it was', () => {
    for (const name of settingNames) {
      assert.deepEqual(withTyped(guild, name, settingText(guild, name)), guild, name)
    }
  })

  for (const [name, typed, is] of [
    ['mostPictures', ' ８ ', '8'],
    ['hasPreviews', 'Off', 'no'],
    ['hasPreviews', '否', 'no'],
    ['hasRecipes', 'yes', 'yes'],
    ['locale', '中文', 'zh-CN'],
    ['locale', 'ZH-cn', 'zh-CN'],
  ] as const) {
    it(`${name} typed as ${typed} is ${is}`, () => {
      assert.equal(settingText(withTyped(guild, name, typed), name), is)
    })
  }

  for (const [name, typed, code, nearest] of [
    ['mostPictures', '9', 'setting-invalid', 8],
    ['mostPictures', 'many', 'setting-invalid', '4'],
    ['mostSide', '1000', 'setting-invalid', 992],
    ['hasPreviews', 'maybe', 'setting-not-offered', 'none'],
    ['locale', 'zh-CM', 'setting-not-offered', 'zh-CN'],
  ] as const) {
    it(`${name} typed as ${typed} is refused with the nearest`, () => {
      const refusal = refusalOf(() => withTyped(guild, name satisfies SettingName, typed))
      assert.deepEqual([refusal[0], refusal[1].nearest], [code, nearest])
    })
  }

  it('is never the weight, which is for operators', () => {
    assert.ok(!(settingNames as readonly string[]).includes('weight'))
  })
})
