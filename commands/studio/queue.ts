/** The guild's jobs in line: seen, cancelled one by one or all that wait. */
import { printAction } from '../../src/chat/action.ts'
import { action } from '../../src/chat/command.ts'
import { privately } from '../../src/chat/message.ts'
import { checkedJobId } from '../../src/chat/wishes.ts'
import { cancel as cancelJob, clearQueue } from '../../src/jobs/cancel.ts'
import { memberCalled } from '../../src/jobs/people.ts'
import { countQueued } from '../../src/store/waiting.ts'
import { shownQueue } from '../queue.ts'

const view = action({
  verb: 'studio queue',
  options: {},
  run: (context) => shownQueue(context),
})

const cancel = action({
  verb: 'studio queue',
  options: { job: { kind: 'job', isRequired: true } },
  run: async ({ say, services, guild, member, rank }, { job }) => {
    const id = checkedJobId(job)
    const outcome = await cancelJob(services.cancelling, { guild, member, rank }, id)
    return privately({ text: say(`queue.cancel-${outcome}`, { job: id }) })
  },
})

const clear = action({
  verb: 'studio clear',
  options: { member: { kind: 'member' }, confirm: { kind: 'choice', choices: ['yes'] } },
  run: async (context, options) => {
    const { say, services, guild, member, rank } = context
    const of =
      options.member === undefined
        ? undefined
        : await memberCalled(services.database, guild, options.member)
    const whose = of === undefined ? 'everyone' : 'member'
    const name = of?.name ?? ''
    if (options.confirm === undefined) {
      const jobs = await countQueued(services.database, guild, of)
      const text = say('studio.clear-sure', { jobs, whose, name })
      // A button has no room for whom it is about.
      if (jobs === 0 || of !== undefined) return privately({ text })
      const label = say('studio.clear-now', { jobs })
      const button = { label, action: printAction('line-clear', 'yes'), style: 'danger' } as const
      return privately({ text, buttons: [[button]] })
    }
    const jobs = await clearQueue(services.cancelling, { guild, member, rank }, of)
    return privately({ text: say('studio.cleared', { jobs, whose, name }) })
  },
})

/** The actions about the queue. */
export const queueActions = { 'queue view': view, 'queue cancel': cancel, 'queue clear': clear }
