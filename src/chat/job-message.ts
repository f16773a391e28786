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
import { waitFacts } from '../core/wait.ts'
import { type ActionVerb, printAction } from './action.ts'
import { errorSentence, type Words } from './i18n.ts'
import type { Button, Message, ShownPicture } from './message.ts'

/** What is to be told of a job. */
export type JobFacts = {
  readonly id: string
  readonly platform: 'discord' | 'slack' | 'web'
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

/** The longest description of a picture, in UTF-16 units. */
const altTextLimit = 1_000
const buttonsInRow = 5

/** The message of a job as it is now. */
export function jobMessage(facts: JobFacts, say: Words): Message {
  const { state, spec, id } = facts
  const quote = spec.asked ?? spec.prompt
  if (state === 'done') return doneMessage(facts, quote, say)
  if (state === 'failed') {
    const text = say('job.failed', { reason: reasonOf(facts, say), job: id })
    return { text, quote, buttons: [[button(say('job.again'), 'again', id)]] }
  }
  if (state === 'cancelled') {
    const text = say('job.cancelled', { by: facts.cancelledBy ?? 'member', job: id })
    return { text, quote, buttons: [[button(say('job.again'), 'again', id)]] }
  }
  if (facts.isStopping) return { text: say('job.stopping'), quote }
  const buttons = [[button(say('job.cancel'), 'cancel', id, undefined, 'danger')]]
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
  {
    outlook,
    lane,
    platform,
    isDeviceBack,
  }: Pick<JobFacts, 'outlook' | 'lane' | 'platform' | 'isDeviceBack'>,
  say: Words,
): string {
  if (outlook?.hasDevice === false) return say('job.no-device')
  const said: string[] = []
  if (isDeviceBack) said.push(say('job.device-back'))
  if (outlook) {
    const position = say('job.waiting', { position: Math.max(1, outlook.position) })
    said.push(outlook.estimate ? waitText(position, outlook.estimate, say) : position)
    const { ownPicturesAhead: pictures = 0, otherGuildsWaiting: guilds = 0 } =
      outlook.estimate ?? {}
    const reason = { pictures, guilds, place: platform }
    if (pictures > 0 && guilds > 0) said.push(say('job.reason-both', reason))
    else if (pictures > 0) said.push(say('job.reason-own', reason))
    else if (guilds > 0) said.push(say('job.reason-others', reason))
  } else {
    said.push(say('job.waiting', { position: 1 }))
  }
  if (lane === 'relax') said.push(say('job.relaxed'))
  return said.join('\n')
}

/** The pictures of a job that are still there. */
export function shownPictures(
  { id, spec, resultKeys }: Pick<JobFacts, 'id' | 'spec' | 'resultKeys'>,
  say: Words,
): ShownPicture[] {
  const { width, height, prompt, asked = prompt } = spec
  const count = resultKeys.length
  return resultKeys.flatMap((key, index) => {
    if (key === '') return []
    const picture = index + 1
    const altText = shortened(say('job.alt', { count, picture, prompt: asked }), altTextLimit)
    const extension = key.slice(key.lastIndexOf('.') + 1)
    const fileName = `zimagine-${id}${count === 1 ? '' : `-${picture}`}.${extension}`
    return [{ key, width, height, altText, fileName }]
  })
}

/** The line of facts under a job's pictures. */
export function factsLine(
  { id, spec, costMicros, model }: Pick<JobFacts, 'id' | 'spec' | 'costMicros' | 'model'>,
  say: Words,
): string {
  const { seed, count, width, height, evaluations } = spec
  const time =
    costMicros === undefined ? 'none' : say('job.seconds', { seconds: costMicros / 1_000_000 })
  return say('job.facts', {
    count,
    seeds: count === 1 ? String(seed) : `${seed}\u2013${seed + count - 1}`,
    size: `${width}\u00d7${height}`,
    evaluations,
    time,
    model: model ?? 'none',
    job: id,
  })
}

/** Lines to copy: the seed and what was said. */
export function copyLines(spec: JobSpec, say: Words): NonNullable<Message['copy']> {
  return [
    { label: say('job.copy-seed'), text: String(spec.seed) },
    { label: say('job.copy-prompt'), text: spec.asked ?? spec.prompt },
  ]
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
      ? [button(say(`job.${verb}`, { picture: 0 }), verb, id, 1)]
      : numbers.map((picture) => button(say(`job.${verb}`, { picture }), verb, id, picture))
  const again = button(say('job.again'), 'again', id, undefined, 'primary')
  const others = [
    button(say('job.info'), 'info', id),
    button(say('job.report'), 'report', id),
    button(say('job.delete'), 'delete', id, undefined, 'danger'),
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

function waitText(
  position: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  say: Words,
): string {
  const [from, to] = [durationText(fromMs, say), durationText(toMs, say)]
  return from === to
    ? say('job.wait', { position, time: to })
    : say('job.wait-range', { position, from, to })
}

/** A time as people say it; seconds beyond ten are told in fives. */
function durationText(ms: number, say: Words): string {
  const { wait, unit } = waitFacts(ms)
  const value = unit === 'second' && wait > 10 ? 5 * Math.ceil(wait / 5) : wait
  return say('job.duration', { value, unit })
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

function shortened(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1).toWellFormed()}\u2026`
}
