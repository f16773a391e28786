/** Everything there is to tell of a job to somebody who may see it. */
import { UserError, isFault } from '../core/errors.ts'
import { isTerminal } from '../core/job.ts'
import { seedOf, wordsOf } from '../core/wish.ts'
import { ancestorsOf, detailsOf, isKeptBy } from '../store/gallery.ts'
import type { StoredJob } from '../store/jobs.ts'
import type { Context } from './command.ts'
import { pictureButtons } from './gallery-page.ts'
import { errorSentence } from './i18n.ts'
import { factsOf, outlookSentences, pictureOf } from './job-words.ts'
import type { Message } from './message.ts'

/** A job, or one of its pictures, counted from 1. */
export async function jobInfo(
  { say, guild, member, services }: Context,
  job: StoredJob,
  picture: number | undefined,
): Promise<Message> {
  const { id, spec, state, resultKeys, costMicros = 0, createdAtMs } = job
  const { database, outlookOf, modelCard } = services
  const details = await detailsOf(database, id)
  const ancestors = await ancestorsOf(database, { guild, member }, spec.parent)
  const isKept = await isKeptBy(database, member, { job: id, picture: picture ?? 1 })
  const { startedAtMs, settledAtMs, error } = details
  const fault = error && ([error.code, error.params] as const)
  const shown = resultKeys.flatMap((key, index) => {
    const number = index + 1
    if (key === '' || (picture !== undefined && picture !== number)) return []
    return [pictureOf(say, { job: id, key, picture: number, spec })]
  })
  const seconds = (fromMs: number, toMs: number): number => Math.max(0, (toMs - fromMs) / 1_000)
  const lines = [
    say('info.state', { job: id, state }),
    ...(state === 'queued' ? outlookSentences(say, outlookOf(id, guild.id)) : []),
    ...(fault && isFault(fault) ? [errorSentence(say, new UserError(...fault))] : []),
    ...(startedAtMs === undefined
      ? []
      : [say('info.waited', { seconds: seconds(createdAtMs, startedAtMs) })]),
    ...(startedAtMs === undefined || settledAtMs === undefined
      ? []
      : [say('info.drawn', { seconds: seconds(startedAtMs, settledAtMs) })]),
    ...(isTerminal(state) ? [say('info.cost', { seconds: costMicros / 1e6, lane: job.lane })] : []),
    ...(spec.style === undefined ? [] : [say('info.style', { style: spec.style })]),
    ...(spec.strength === undefined ? [] : [say('info.strength', { strength: spec.strength })]),
    ...(spec.guidance === 0 ? [] : [say('info.guidance', { guidance: spec.guidance })]),
    ...(ancestors.length === 0 ? [] : [say('info.made-of', { jobs: ancestors.join(' \u2190 ') })]),
    ...(spec.isPrivate ? [say('info.private')] : []),
  ]
  const model = (await modelCard())?.name ?? ''
  return {
    text: lines.join('\n'),
    quote: spec.prompt,
    facts: `${factsOf(say, spec, picture)}${model === '' ? '' : ` \u00b7 ${model}`}`,
    copy: [
      { label: say('copy.seed'), text: String(seedOf(spec, picture)) },
      { label: say('copy.prompt'), text: wordsOf(spec) },
      ...(spec.negativePrompt === undefined
        ? []
        : [{ label: say('copy.negative'), text: spec.negativePrompt }]),
    ],
    ...(shown.length > 0 && {
      pictures: shown,
      buttons: [pictureButtons(say, { job: id, picture: picture ?? 1, isKept })],
    }),
  }
}
