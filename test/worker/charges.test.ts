/** What device time is charged at, before and after the leader has learnt of the device. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { saveCostModel } from '../../src/store/cost-model.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { Charges } from '../../src/worker/charges.ts'
import { newDatabase } from '../store/database.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))

const chargesOf = (deviceClass: string): Charges =>
  new Charges(database, deviceClass, (error) => assert.ifError(error))

describe('a charge', () => {
  it('is no more than was reserved while nothing is known of the device', async () => {
    const charges = chargesOf('unknown')

    assert.equal(await charges.of(680_000_000, 800_000), 800_000)
    assert.equal(await charges.of(300_000, 800_000), 300_000)
  })

  it('is time of the reference device as soon as the speed of the device is known', async () => {
    const slow = { slow: { ratio: 100, samples: 1 } }
    await saveCostModel(database, { devices: slow, kinds: {} })

    assert.equal(await chargesOf('slow').of(90_000_000, 800_000), 900_000)
    assert.equal(await chargesOf('unknown').of(90_000_000, 800_000), 800_000)
  })
})
