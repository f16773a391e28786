/** Styles of a guild's own on a real Postgres. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { ensureGuild, type StoredGuild } from '../../src/store/guilds.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { addStyle, removeStyle, stylesOf } from '../../src/store/styles.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())

describe('styles of a guild', () => {
  after(() => closeDatabase(database))

  let guilds = 0
  const newGuild = async (): Promise<StoredGuild> => {
    guilds += 1
    return ensureGuild(database, { platform: 'web', platformId: `guild-${guilds}` })
  }
  const ink = { name: 'ink', template: 'ink drawing of {prompt}', negativePrompt: 'colour' }
  const add = (guild: StoredGuild, style: typeof ink) =>
    inTransaction(database, (transaction) => addStyle(transaction, guild, style))
  const remove = (guild: StoredGuild, name: string) =>
    inTransaction(database, (transaction) => removeStyle(transaction, guild, name))

  it('are read as they were added', async () => {
    const guild = await newGuild()
    await add(guild, ink)
    assert.deepEqual(await stylesOf(database, guild), [ink])
  })

  it('are seen in their guild only', async () => {
    await add(await newGuild(), ink)
    assert.deepEqual(await stylesOf(database, await newGuild()), [])
  })

  it('give way to one of the same name, which is given back', async () => {
    const guild = await newGuild()
    const bold = { ...ink, template: 'bold ink of {prompt}' }
    await add(guild, ink)
    assert.deepEqual([await add(guild, bold), await stylesOf(database, guild)], [ink, [bold]])
  })

  it('are given back when they are removed, once', async () => {
    const guild = await newGuild()
    await add(guild, ink)
    assert.deepEqual([await remove(guild, 'ink'), await remove(guild, 'ink')], [ink, undefined])
  })
})
