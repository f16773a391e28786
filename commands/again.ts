/** `again`: draws a job once more, with another seed or with changes. */
import { type Command, action } from '../src/chat/command.ts'
import { checkedJobId, readWish, submitted, unsaidIn } from '../src/chat/wishes.ts'
import { UserError } from '../src/core/errors.ts'
import { varied } from '../src/core/wish.ts'
import { checkConsent, visibleJob } from '../src/jobs/start-picture.ts'
import { lastJobOf } from '../src/store/gallery.ts'

/** Draws variations of a job. */
export const again: Command = {
  name: 'again',
  actions: {
    '': action({
      verb: 'again',
      options: {
        job: { kind: 'job' },
        changes: { kind: 'prompt' },
        picture: { kind: 'integer', least: 1, most: 8 },
        sameSeed: { kind: 'flag' },
        count: { kind: 'integer', least: 1, most: 8 },
        private: { kind: 'flag' },
      },
      run: async (context, { job, changes = '', picture, sameSeed, ...beside }) => {
        const { services, guild, member } = context
        const { database } = services
        const said = readWish(changes, beside)
        const unsaid = await unsaidIn(context)
        const parent =
          job === undefined
            ? await lastJobOf(database, member, { isDrawn: false })
            : await visibleJob(database, { guild, member }, checkedJobId(job))
        if (parent === undefined) throw new UserError('nothing-drawn', {})
        const { count, imageOwner } = parent.spec
        if (picture !== undefined && picture > count) {
          throw new UserError('picture-unknown', { job: parent.id, picture })
        }
        if (imageOwner !== undefined) await checkConsent(database, { guild, member }, imageOwner)
        const spec = varied(said, unsaid, parent, { picture, isSameSeed: sameSeed === true })
        return submitted(context, spec)
      },
    }),
  },
}
