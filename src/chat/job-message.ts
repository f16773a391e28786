/**
 * The message of a job, from its first moment to its end: what became of it, in words of one locale,
 * and what can be done next. Facts in, message out; the notifier edits one message through all of
 * it, and commands show the same of old jobs.
 */
import { isFault, UserError } from '../core/errors.ts'
import type { Outlook } from '../core/eta.ts'
import type { JobState } from '../core/job.ts'
import type { JobSpec } from '../core/job-spec.ts'
import type { Lane } from '../core/queued-job.ts'
import { sizeText } from '../core/size.ts'
import { wordsOf } from '../core/wish.ts'
import { type ActionVerb, printAction } from './action.ts'
import { errorSentence, type Words } from './i18n.ts'
import { outlookSentences, pictureOf } from './job-words.ts'
import type { Button, Message, ShownPicture } from './message.ts'

/** What is to be told of a job. */
export type JobFacts = {
  readonly id: string
  readonly state: JobState
  readonly spec: JobSpec
  readonly lane: Lane
  /** Blobs of its pictures, in order; empty for one that was deleted. */
  readonly resultKeys: readonly string[]
  /** Device time, once it has ended. */
  readonly costMicros?: number | undefined
  /** Name of the model, as far as known. */
  readonly model?: string | undefined
  /** It is to be cancelled, and its device has not stopped yet. */
  readonly isStopping?: boolean
  readonly cancelledBy?: 'member' | 'moderator'
  readonly error?: {
    readonly code: string
    readonly params: Readonly<Record<string, string | number>>
  }
  /** Of one that waits. */
  readonly outlook?: Outlook | undefined
  /** There was no device, and now there is. */
  readonly isDeviceBack?: boolean
  /** Of one that is drawn: evaluations done, and of how many. */
  readonly progress?: { readonly done: number; readonly of: number }
  readonly previewId?: string | undefined
}

const buttonsInRow = 5

/** The message of a job as it is now. */
export function jobMessage(facts: JobFacts, say: Words): Message {
  const { state, spec, id } = facts
  const quote = wordsOf(spec)
  if (state === 'done') return doneMessage(facts, quote, say)
  if (state === 'failed') {
    const text = say('job.failed', { reason: reasonOf(facts, say), job: id })
    return { text, quote, buttons: [[button(say('button.again'), 'again', id)]] }
  }
  if (state === 'cancelled') {
    const text = say('job.cancelled', { by: facts.cancelledBy ?? 'member', job: id })
    return { text, quote, buttons: [[button(say('button.again'), 'again', id)]] }
  }
  if (facts.isStopping) return { text: say('job.stopping'), quote }
  const buttons = [[button(say('button.cancel'), 'cancel', id, undefined, 'danger')]]
  if (state === 'queued') return { text: waitingText(facts, say), quote, buttons }
  const { progress, previewId } = facts
  if (state === 'dispatched' || progress === undefined) {
    return { text: say('job.starting'), quote, buttons }
  }
  return {
    text: say('job.drawing', { count: spec.count }),
    quote,
    progress: { ...progress, text: say('job.step', progress) },
    ...(previewId !== undefined && { previewId }),
    buttons,
  }
}

/** Where a waiting job is, for how long, and why. */
export function waitingText(
  { outlook, lane, isDeviceBack }: Pick<JobFacts, 'outlook' | 'lane' | 'isDeviceBack'>,
  say: Words,
): string {
  const hasDevice = outlook?.hasDevice !== false
  return [
    ...(isDeviceBack ? [say('job.device-back')] : []),
    // A place in line that nobody serves would be a promise.
    ...(hasDevice ? [say('job.waiting', { position: Math.max(1, outlook?.position ?? 1) })] : []),
    ...(outlook ? outlookSentences(say, outlook) : []),
    ...(lane === 'relax' ? [say('job.relaxed')] : []),
  ].join('\n')
}

/** The pictures of a job that are still there. */
export function shownPictures(
  { id, spec, resultKeys }: Pick<JobFacts, 'id' | 'spec' | 'resultKeys'>,
  say: Words,
): ShownPicture[] {
  return resultKeys.flatMap((key, index) =>
    key === '' ? [] : [pictureOf(say, { job: id, key, picture: index + 1, spec })],
  )
}

/** The line of facts under a job's pictures. */
export function factsLine(
  { id, spec, costMicros, model }: Pick<JobFacts, 'id' | 'spec' | 'costMicros' | 'model'>,
  say: Words,
): string {
  const { seed, count, evaluations } = spec
  const time =
    costMicros === undefined ? 'none' : say('job.seconds', { seconds: costMicros / 1_000_000 })
  return say('job.facts-line', {
    count,
    seeds: count === 1 ? String(seed) : `${seed}\u2013${seed + count - 1}`,
    size: sizeText(spec),
    evaluations,
    time,
    model: model ?? 'none',
    job: id,
  })
}

function doneMessage(facts: JobFacts, quote: string, say: Words): Message {
  const { id, resultKeys } = facts
  const pictures = shownPictures(facts, say)
  const removed = resultKeys.length - pictures.length
  if (pictures.length === 0) return { text: say('job.removed', { count: Math.max(1, removed) }) }
  const done = say('job.done', { count: pictures.length })
  const text = removed === 0 ? done : `${done} ${say('job.some-removed', { count: removed })}`
  const numbers = resultKeys.flatMap((key, index) => (key === '' ? [] : [index + 1]))
  const ofPicture = (verb: 'edit' | 'keep'): Button[] =>
    resultKeys.length === 1
      ? [button(say(`button.${verb}`, { picture: 0 }), verb, id, 1)]
      : numbers.map((picture) => button(say(`button.${verb}`, { picture }), verb, id, picture))
  const again = button(say('button.again'), 'again', id, undefined, 'primary')
  const others = [
    button(say('button.info'), 'info', id),
    button(say('button.report'), 'report', id),
    button(say('button.delete'), 'delete', id, undefined, 'danger'),
  ]
  return {
    text,
    quote,
    pictures,
    facts: factsLine(facts, say),
    buttons:
      resultKeys.length === 1
        ? [[again, ...ofPicture('edit'), ...ofPicture('keep')], others]
        : [[again, ...others], ...rowsOf(ofPicture('edit')), ...rowsOf(ofPicture('keep'))],
  }
}

/** Why it failed, as far as there are words for it. */
function reasonOf({ error }: JobFacts, say: Words): string {
  const fault = [error?.code ?? '', error?.params ?? {}] as const
  return isFault(fault) ? errorSentence(say, new UserError(...fault)) : say('job.broken')
}

function button(
  label: string,
  verb: ActionVerb,
  job: string,
  picture?: number,
  style: Button['style'] = 'plain',
): Button {
  return { label, action: printAction(verb, job, picture), style }
}

function rowsOf(buttons: readonly Button[]): Button[][] {
  const rows = Math.ceil(buttons.length / buttonsInRow)
  return Array.from({ length: rows }, (_, row) =>
    buttons.slice(row * buttonsInRow, (row + 1) * buttonsInRow),
  )
}
