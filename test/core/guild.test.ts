/** Settings of a guild, and the rules of admission that are read off them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  type NumberSetting,
  checkOpen,
  checkQueue,
  defaultSettings,
  isNumberSetting,
  readSettings,
  settingRanges,
  specLimits,
  withSetting,
} from '../../src/core/guild.ts'
import { checkSize } from '../../src/core/size.ts'
import { refusalOf, unlessRefused } from './refusal.ts'

const names = Object.keys(settingRanges) as NumberSetting[]

describe('defaultSettings', () => {
  it('can all be set', () => {
    for (const name of names) {
      assert.deepEqual(withSetting(defaultSettings, name, defaultSettings[name]), defaultSettings)
    }
  })
})

describe('readSettings', () => {
  it('has the defaults for nothing stored', () => {
    assert.deepEqual(readSettings({}), defaultSettings)
  })

  it('reads what it gave again, through JSON', () => {
    const stored = fc.dictionary(
      fc.constantFrom(...Object.keys(defaultSettings), 'unknown', '__proto__'),
      fc.oneof(fc.jsonValue(), fc.integer(), fc.boolean(), fc.array(fc.string())),
    )
    fc.assert(
      fc.property(stored, (row) => {
        const settings = readSettings(row)
        assert.deepEqual(readSettings(JSON.parse(JSON.stringify(settings))), settings)
      }),
    )
  })

  it('brings every number into its range', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.double(), (name, value) => {
        const settings = readSettings({ [name]: value })
        assert.deepEqual(withSetting(settings, name, settings[name]), settings)
      }),
    )
  })

  it('takes nothing of the wrong kind', () => {
    const wrong = Object.fromEntries(Object.keys(defaultSettings).map((name) => [name, { a: 1 }]))

    assert.deepEqual(readSettings(wrong), defaultSettings)
  })
})

describe('withSetting', () => {
  it('changes one number and nothing else', () => {
    assert.deepEqual(withSetting(defaultSettings, 'weight', 4), { ...defaultSettings, weight: 4 })
  })

  for (const [name, value, nearest] of [
    ['weight', 0, 1],
    ['weight', 11, 10],
    ['weight', 1.5, 2],
    ['weight', NaN, 1],
    ['mostSide', 1000, 992],
  ] as const) {
    it(`refuses ${name} ${value}, with its range and ${nearest}`, () => {
      const { least, most } = settingRanges[name]

      assert.deepEqual(
        refusalOf(() => withSetting(defaultSettings, name, value)),
        ['setting-invalid', { setting: name, least, most, got: value, nearest }],
      )
    })
  }
})

describe('isNumberSetting', () => {
  it('knows the numbers only', () => {
    assert.deepEqual(
      ['weight', 'isPaused', 'constructor', ''].map((name) => isNumberSetting(name)),
      [true, false, false, false],
    )
  })
})

describe('specLimits', () => {
  it('leaves some size that can be drawn, whatever is set', () => {
    fc.assert(
      fc.property(fc.double(), fc.double(), (mostSide, mostPixels) => {
        const limits = specLimits(readSettings({ mostSide, mostPixels }))
        const size = { width: limits.mostSide, height: limits.leastSide }
        assert.equal(
          unlessRefused(() => checkSize(size, limits) ?? 'allowed'),
          'allowed',
        )
      }),
    )
  })
})

describe('checkOpen', () => {
  const inChannels = (allowedChannels: string[], deniedChannels: string[]) => ({
    ...defaultSettings,
    allowedChannels,
    deniedChannels,
  })

  it('lets draw everywhere at first', () => {
    assert.equal(checkOpen(defaultSettings, 'any'), undefined)
  })

  it('lets draw in allowed channels only, if there are any', () => {
    assert.equal(checkOpen(inChannels(['art'], []), 'art'), undefined)
    assert.equal(refusalOf(() => checkOpen(inChannels(['art'], []), 'any'))[0], 'channel-closed')
  })

  it('never lets draw in denied channels', () => {
    const settings = inChannels(['art'], ['art'])

    assert.equal(refusalOf(() => checkOpen(settings, 'art'))[0], 'channel-closed')
  })

  it('says why it is paused', () => {
    const paused = { ...defaultSettings, isPaused: true }

    assert.deepEqual(
      refusalOf(() => checkOpen({ ...paused, pauseReason: 'event' }, 'any')),
      ['guild-paused', { reason: 'event' }],
    )
    assert.deepEqual(
      refusalOf(() => checkOpen(paused, 'any')),
      ['guild-paused', { reason: 'none' }],
    )
  })
})

describe('checkQueue', () => {
  const waiting = {
    ofMember: 5,
    ofGuild: 49,
    memberFreeInMs: 30_000,
    guildFreeInMs: 20_000,
    predictedMs: 15 * 60_000,
  }

  it('lets wait up to the caps', () => {
    assert.equal(checkQueue(defaultSettings, waiting), undefined)
  })

  for (const [more, code, facts] of [
    [{ ofMember: 6 }, 'member-queue-full', { most: 6, waitMs: 30_000, wait: 30, unit: 'second' }],
    [{ ofGuild: 50 }, 'guild-queue-full', { most: 50, waitMs: 20_000, wait: 20, unit: 'second' }],
    [
      { predictedMs: 20 * 60_000 },
      'wait-too-long',
      { mostMinutes: 15, waitMs: 300_000, wait: 5, unit: 'minute' },
    ],
  ] as const) {
    it(`refuses beyond with ${code} and when to come back`, () => {
      assert.deepEqual(
        refusalOf(() => checkQueue(defaultSettings, { ...waiting, ...more })),
        [code, facts],
      )
    })
  }
})
