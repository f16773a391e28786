/** What a member is told, alone, when a wish has become a job: where it stands, when, and why. */
import { seedOf } from '../core/wish.ts'
import { isTerminal } from '../core/job.ts'
import { waitFacts } from '../core/wait.ts'
import type { Admitted } from '../jobs/submit.ts'
import { printAction } from './action.ts'
import type { Context } from './command.ts'
import { factsOf, outlookSentences } from './job-words.ts'
import { type Reply, privately } from './message.ts'

/** The answer to whoever asked; `notes` are sentences about what was made of the wish. */
export function queuedReply(
  { say, guild, services }: Context,
  { job, isDuplicate, fastInMs }: Admitted,
  notes: readonly string[] = [],
): Reply {
  const { id, spec, state } = job
  const outlook = services.outlookOf(id, guild.id)
  const lane =
    job.lane !== 'relax' || isDuplicate
      ? []
      : fastInMs === Infinity
        ? [say('queued.relaxed-large')]
        : [say('queued.relaxed', { ...waitFacts(fastInMs) })]
  const sentences = [
    isDuplicate
      ? say('queued.duplicate', { job: id })
      : say('queued.accepted', { job: id, position: outlook.position }),
    ...(state === 'queued' ? outlookSentences(say, outlook) : []),
    ...lane,
    ...notes,
  ]
  return privately({
    text: sentences.join('\n'),
    quote: spec.prompt,
    facts: factsOf(say, spec),
    copy: [{ label: say('copy.seed'), text: String(seedOf(spec)) }],
    ...(!isTerminal(state) && {
      buttons: [
        [{ label: say('button.cancel'), action: printAction('cancel', id), style: 'danger' }],
      ],
    }),
  })
}
