/**
 * `edit`: changes a picture as an instruction says. For now by image-to-image, which draws a whole
 * description over the picture, and says so.
 */
import { type Command, type Context, type PictureOption, action } from '../src/chat/command.ts'
import { checkedJobId, readWish, startFrom, submitted, unsaidIn } from '../src/chat/wishes.ts'
import { UserError } from '../src/core/errors.ts'
import { edited } from '../src/core/wish.ts'
import { lastJobOf } from '../src/store/gallery.ts'

/** Changes a picture. */
export const edit: Command = {
  name: 'edit',
  actions: {
    '': action({
      verb: 'edit',
      options: {
        instruction: { kind: 'prompt', isRequired: true },
        image: { kind: 'picture' },
        job: { kind: 'job' },
        picture: { kind: 'integer', least: 1, most: 8 },
        strength: { kind: 'number', least: 0.05, most: 1 },
        count: { kind: 'integer', least: 1, most: 8 },
        seed: { kind: 'integer', least: 0, most: 2 ** 32 - 1 },
        private: { kind: 'flag' },
      },
      run: async (context, { instruction, image, job, picture, strength, ...beside }) => {
        const said = readWish(instruction, beside)
        const unsaid = await unsaidIn(context)
        const pointed = image ?? (await pictureMeant(context, job, picture))
        const { start, parent } = await startFrom(context, pointed)
        const spec = edited(said, unsaid, start, {
          ...(parent && { parent }),
          ...(strength !== undefined && { strength }),
        })
        const isDescribed = parent !== undefined && !said.isRaw
        const note = isDescribed ? 'queued.edit-described' : 'queued.edit-alone'
        return submitted(context, spec, [context.say(note)])
      },
    }),
  },
}

/** A picture of the job that was named, or of the member's last one with pictures. */
async function pictureMeant(
  { services, member }: Context,
  job: string | undefined,
  picture = 1,
): Promise<PictureOption> {
  if (job !== undefined) return { kind: 'ours', job: checkedJobId(job), picture }
  const last = await lastJobOf(services.database, member, { isDrawn: true })
  if (last === undefined) throw new UserError('picture-missing', {})
  const first = 1 + last.resultKeys.findIndex((key) => key !== '')
  return { kind: 'ours', job: last.id, picture: picture === 1 ? first : picture }
}
