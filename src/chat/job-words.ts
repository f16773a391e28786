/** Jobs in words: how long one waits and why, what its pictures show, what there is to say of it. */
import type { Outlook } from '../core/eta.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { sizeText } from '../core/size.ts'
import { rangeFacts } from '../core/wait.ts'
import { seedOf, wordsOf } from '../core/wish.ts'
import { contentTypeOf } from '../store/blobs/blob-store.ts'
import type { Words } from './i18n.ts'
import type { ShownPicture } from './message.ts'

/** The longest text that platforms take for a picture, in UTF-16 units. */
const altTextLimit = 1_000
const titleLimit = 100

/** A picture of a job, counted from 1, as it is shown. */
export function pictureOf(
  say: Words,
  {
    job,
    key,
    picture,
    spec,
  }: {
    readonly job: string
    readonly key: string
    readonly picture: number
    readonly spec: JobSpec
  },
): ShownPicture {
  const { width, height } = spec
  const extension = contentTypeOf(key).split('/')[1]!.replace('jpeg', 'jpg')
  return {
    key,
    width,
    height,
    altText: cut(say('job.alt-text', { prompt: wordsOf(spec) }), altTextLimit),
    fileName: `zimagine-${job}-${picture}.${extension}`,
  }
}

/** One line of what a spec draws: its words, as many as fit. */
export function titleOf(spec: JobSpec): string {
  return cut(wordsOf(spec), titleLimit)
}

/** One line of facts about a spec, or about one of its pictures. */
export function factsOf(say: Words, spec: JobSpec, picture?: number): string {
  const { width, height, count, evaluations } = spec
  return say('job.facts', {
    seed: String(seedOf(spec, picture)),
    size: sizeText({ width, height }),
    count: picture === undefined ? count : 1,
    evaluations,
  })
}

/** Where a waiting job stands, how long it will be, and why: sentences, none of them empty. */
export function outlookSentences(say: Words, outlook: Outlook): string[] {
  if (!outlook.hasDevice) return [say('wait.no-device')]
  const { estimate } = outlook
  if (estimate === undefined) return [say('wait.unknown')]
  const { fromMs, toMs, ownPicturesAhead, otherGuildsWaiting } = estimate
  const { from, to, unit } = rangeFacts(fromMs, toMs)
  const isSoon = unit === 'second' && to <= 2
  return [
    isSoon
      ? say('wait.now')
      : from === to
        ? say('wait.about', { wait: to, unit })
        : say('wait.range', { from, to, unit }),
    ...(ownPicturesAhead > 0 ? [say('wait.own', { count: ownPicturesAhead })] : []),
    ...(otherGuildsWaiting > 0 ? [say('wait.others', { count: otherGuildsWaiting })] : []),
  ]
}

/** A text that is no longer than that; what is left out is shown to be missing. */
export function cut(text: string, most: number): string {
  const plain = text.toWellFormed()
  return plain.length <= most ? plain : `${plain.slice(0, most - 1).toWellFormed()}\u2026`
}
