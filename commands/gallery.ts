/** `gallery`: one's pictures, those one keeps, everything about one, and deleting. */
import { type Command, type Context, action } from '../src/chat/command.ts'
import { galleryPage, pageSize } from '../src/chat/gallery-page.ts'
import { jobInfo } from '../src/chat/job-info.ts'
import { privately } from '../src/chat/message.ts'
import { checkedJobId } from '../src/chat/wishes.ts'
import { removePicturesOf } from '../src/jobs/remove-pictures.ts'
import { startFromJob, visibleJob } from '../src/jobs/start-picture.ts'
import { drop, keep, keptBy, picturesOf } from '../src/store/gallery.ts'
import type { StoredJob } from '../src/store/jobs.ts'

const page = { kind: 'integer', least: 1, most: 100_000 } as const
const job = { kind: 'job', isRequired: true } as const
const picture = { kind: 'integer', least: 1, most: 8 } as const

/** Shows, keeps and deletes pictures. */
export const gallery: Command = {
  name: 'gallery',
  actions: {
    mine: action({
      verb: 'gallery',
      options: { page },
      run: async ({ say, member, services }, { page: asked = 1 }) => {
        const found = await picturesOf(services.database, member, { page: asked, size: pageSize })
        const empty = say('gallery.empty')
        return privately(galleryPage(say, found, { turn: 'gallery-page', empty }))
      },
    }),
    kept: action({
      verb: 'gallery',
      options: { page },
      run: async ({ say, member, services }, { page: asked = 1 }) => {
        const found = await keptBy(services.database, member, { page: asked, size: pageSize })
        const empty = say('gallery.kept-empty')
        return privately(galleryPage(say, found, { turn: 'kept-page', empty }))
      },
    }),
    info: action({
      verb: 'info',
      options: { job, picture },
      run: async (context, options) =>
        privately(await jobInfo(context, await jobMeant(context, options.job), options.picture)),
    }),
    keep: action({
      verb: 'favourite',
      options: { job, picture },
      run: async (context, options) => {
        const { say, guild, member, services, nowMs } = context
        const id = checkedJobId(options.job)
        const number = options.picture ?? 1
        await startFromJob({ ...services, guild, member }, id, number)
        await keep(services.database, member, { job: id, picture: number, nowMs })
        return privately({ text: say('gallery.kept', { job: id, picture: number }) })
      },
    }),
    drop: action({
      verb: 'favourite',
      options: { job, picture },
      run: async ({ say, member, services }, options) => {
        const id = checkedJobId(options.job)
        const count = await drop(services.database, member, { job: id, picture: options.picture })
        return privately({ text: say('gallery.dropped', { count, job: id }) })
      },
    }),
    delete: action({
      verb: 'delete own',
      options: { job, picture },
      run: async (context, options) => {
        const { say, services } = context
        const id = checkedJobId(options.job)
        const count = await removePicturesOf({ ...context, ...services }, id, options.picture)
        return privately({ text: say('gallery.deleted', { count, job: id }) })
      },
    }),
  },
}

async function jobMeant({ services, guild, member }: Context, typed: string): Promise<StoredJob> {
  return visibleJob(services.database, { guild, member }, checkedJobId(typed))
}
