/** `queue`: what waits, who is served and why, and the way out of it. */
import { printAction } from '../src/chat/action.ts'
import { type Command, type Context, action } from '../src/chat/command.ts'
import { outlookSentences, titleOf } from '../src/chat/job-words.ts'
import { type Item, type Reply, privately } from '../src/chat/message.ts'
import { servedSentences } from '../src/chat/served.ts'
import { checkedJobId } from '../src/chat/wishes.ts'
import { cancel } from '../src/jobs/cancel.ts'
import { type OpenJob, openJobs } from '../src/store/gallery.ts'

const mostShown = 20

/** Shows the queue and cancels. */
export const queue: Command = {
  name: 'queue',
  actions: {
    mine: action({
      verb: 'queue own',
      options: {},
      run: async (context) => {
        const { say, guild, member, services } = context
        const { jobs, total } = await openJobs(services.database, { guild, member }, mostShown)
        const served = servedSentences(say, services.servedNow(), guild.id)
        return privately({
          text: [say('queue.mine', { count: total }), ...served].join('\n'),
          items: jobs.map((job) => itemOf(context, job, titleOf(job.spec))),
        })
      },
    }),
    all: action({
      verb: 'queue all',
      options: {},
      run: (context) => shownQueue(context),
    }),
    cancel: action({
      verb: 'cancel own',
      options: { job: { kind: 'job', isRequired: true } },
      run: async ({ say, guild, member, rank, services }, { job }) => {
        const id = checkedJobId(job)
        const outcome = await cancel(services.cancelling, { guild, member, rank }, id)
        return privately({ text: say(`queue.cancel-${outcome}`, { job: id }) })
      },
    }),
  },
}

/** What the whole guild waits for, to moderators; what is private without its words. */
export async function shownQueue(context: Context): Promise<Reply> {
  const { say, guild, services } = context
  const { jobs, total } = await openJobs(services.database, { guild }, mostShown)
  const served = servedSentences(say, services.servedNow(), guild.id)
  const title = ({ spec }: OpenJob): string =>
    spec.isPrivate ? say('queue.private') : titleOf(spec)
  return privately({
    text: [say('queue.all', { count: total, shown: jobs.length }), ...served].join('\n'),
    items: jobs.map((job) =>
      itemOf(context, job, `${job.memberName ?? job.member} · ${title(job)}`),
    ),
  })
}

function itemOf({ say, services }: Context, job: OpenJob, title: string): Item {
  const { id, guild, state, cancelledAtMs } = job
  const isStopping = cancelledAtMs !== undefined
  const outlook = services.outlookOf(id, guild)
  const stage =
    isStopping || state !== 'queued'
      ? [say(isStopping ? 'queue.stopping' : 'queue.drawing', { job: id })]
      : [
          say('queue.waiting', { job: id, position: outlook.position }),
          ...outlookSentences(say, outlook),
        ]
  return {
    title,
    text: stage.join('\n'),
    ...(!isStopping && {
      buttons: [
        { label: say('button.cancel'), action: printAction('cancel', id), style: 'danger' },
      ],
    }),
  }
}
