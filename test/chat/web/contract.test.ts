/** The playground keeps what every platform promises. */
import { after } from 'node:test'
import type { ReplyTo } from '../../../src/store/jobs.ts'
import type { Playground } from '../../../src/chat/web/server.ts'
import { newDatabase } from '../../store/database.ts'
import { adapterContract, type SeenMessage, type Stage } from '../adapter-contract.ts'
import { here, House, messages } from './playground.ts'

const house = new House(await newDatabase())
after(() => house.close())

adapterContract('the playground', async (): Promise<Stage> => {
  await letRefuse()
  let playground: Playground = await house.serve()
  let isClosed = false
  let places = 0
  return {
    get adapter() {
      return playground.adapter
    },
    member: here.member,
    newPlace: async () => {
      // A place that was closed has taken its guild with it.
      if (isClosed) playground = await house.serve()
      isClosed = false
      places += 1
      return { ...here, channel: await newChannel(places) }
    },
    seen: async (place, member = 'jonas') => seenAt(playground.url, place, member),
    deleteMessage: async (place, shown) => playground.adapter.remove(place, shown),
    closePlace: async () => {
      isClosed = true
      await house.database.guild.deleteMany({ where: { platform: 'web' } })
    },
    refuseOnce: async () => {
      await house.database.$executeRaw`SELECT setval('refusals', 1)`
    },
    newPicture: async (altText) => {
      const key = await house.services.blobs.put(Buffer.from(altText), 'image/png')
      return { key, width: 16, height: 16, altText, fileName: 'fox.png' }
    },
    close: async () => house.leave(),
  }
})

/** There are four channels only, so each place begins with an empty one. */
async function newChannel(number: number): Promise<string> {
  await house.database.webMessage.deleteMany()
  return number % 2 === 0 ? 'lounge' : 'pictures'
}

/** Lets the database refuse a message as one that is full does; a sequence outlives the rollback. */
async function letRefuse(): Promise<void> {
  const { database } = house
  await database.$executeRaw`CREATE SEQUENCE refusals START 10`
  await database.$executeRaw`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('refusals') = 2 THEN
        RAISE EXCEPTION 'too many clients already' USING ERRCODE = '53300';
      END IF;
      RETURN NEW;
    END $$`
  await database.$executeRaw`
    CREATE TRIGGER refuse BEFORE INSERT ON web_messages FOR EACH ROW EXECUTE FUNCTION refuse()`
}

async function seenAt(url: string, place: ReplyTo, member: string): Promise<SeenMessage[]> {
  const { messages: views } = await messages(url, { channel: String(place.channel), member })
  return views
    .filter(({ isDeleted }) => !isDeleted)
    .map(({ message: { text, quote, progress, facts, pictures = [], buttons = [] } }) => ({
      text: [text, quote, progress?.text, facts].filter((each) => each !== undefined).join('\n'),
      altTexts: pictures.map(({ altText }) => altText),
      labels: buttons.flat().map(({ label }) => label),
    }))
}
