/**
 * What the commands that draw have in common: text with flags beside options, what holds where
 * nothing was said, the picture to start from, and admission.
 */
import { type PromptOptions, readPrompt } from '../core/flags.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { readJobId } from '../core/job-id.ts'
import { UserError } from '../core/errors.ts'
import { readAspect } from '../core/size.ts'
import { readStyleName } from '../core/style.ts'
import type { StartPicture, Unsaid } from '../core/wish.ts'
import { startFromJob, startFromUpload } from '../jobs/start-picture.ts'
import { submit } from '../jobs/submit.ts'
import { unsaidFor } from '../jobs/unsaid.ts'
import type { StoredJob } from '../store/jobs.ts'
import { stylesOf } from '../store/styles.ts'
import type { Context, PictureOption } from './command.ts'
import type { Reply } from './message.ts'
import { stylesBeside } from './presets.ts'
import { queuedReply } from './queued.ts'

/** The shapes that can be chosen; any other is typed as a flag. */
export const shapes = ['1:1', '3:2', '2:3', '16:9', '9:16'] as const

/** Options that stand beside the text. */
export type Beside = {
  readonly shape?: string | undefined
  readonly count?: number | undefined
  readonly seed?: number | undefined
  readonly style?: string | undefined
  readonly private?: boolean | undefined
}

/**
 * Text with flags in it, and the options beside it. What is typed holds over what is chosen, as the
 * later of two flags does.
 *
 * @throws {UserError} style-unknown, and whatever `readPrompt` refuses
 */
export function readWish(text: string, beside: Beside): PromptOptions {
  const typed = readPrompt(text)
  const { shape, count, seed, style } = beside
  const aspect = shape === undefined ? undefined : readAspect(shape)
  return {
    ...(aspect !== undefined && typed.size === undefined && { aspect }),
    ...(count !== undefined && { count }),
    ...(seed !== undefined && { seed }),
    ...(style !== undefined && { style: styleName(style) }),
    ...typed,
    isPrivate: typed.isPrivate || beside.private === true,
  }
}

/** What holds where nothing was said. @throws {UserError} model-unknown */
export async function unsaidIn({ services, guild, member }: Context): Promise<Unsaid> {
  const { database } = services
  const [card, own] = await Promise.all([services.modelCard(), stylesOf(database, guild)])
  return unsaidFor({ guild, member, card, styles: stylesBeside(own) })
}

/** The picture that somebody points at, and the job that drew it if it is ours. */
export async function startFrom(
  { services, guild, member }: Context,
  picture: PictureOption,
): Promise<{ readonly start: StartPicture; readonly parent?: StoredJob }> {
  const starting = { ...services, guild, member }
  if (picture.kind === 'ours') {
    return startFromJob(starting, checkedJobId(picture.job), picture.picture)
  }
  return { start: await startFromUpload(starting, picture) }
}

/** The id that somebody typed or pressed. @throws {UserError} job-unknown */
export function checkedJobId(typed: string): string {
  const id = readJobId(typed)
  if (id === undefined)
    throw new UserError('job-unknown', { job: typed.slice(0, 40).toWellFormed() })
  return id
}

/** Makes a spec a job and tells the member so. @throws {UserError} whatever admission refuses */
export async function submitted(
  context: Context,
  spec: JobSpec,
  notes: readonly string[] = [],
): Promise<Reply> {
  const { say, asked, services } = context
  const admitted = await submit(services.admission, asked, spec)
  const isUnheard = spec.negativePrompt !== undefined && spec.guidance === 0
  const all = isUnheard ? [...notes, say('queued.negative-unheard')] : notes
  return queuedReply(context, admitted, all)
}

/** @throws {UserError} style-unknown */
function styleName(typed: string): string {
  const name = readStyleName(typed)
  if (name !== undefined) return name
  throw new UserError('style-unknown', {
    style: typed.slice(0, 40).toWellFormed(),
    nearest: 'none',
  })
}
