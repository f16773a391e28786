/**
 * Shows moderators the words that a rule has refused; and, when they have said that the rule was
 * wrong here, draws them, once.
 */
import { action, type Command, type Context } from '../src/chat/command.ts'
import { privately, type Reply } from '../src/chat/message.ts'
import { queuedReply } from '../src/chat/queued.ts'
import { UserError } from '../src/core/errors.ts'
import { reasonLimit } from '../src/core/guild.ts'
import { appealRefusal } from '../src/jobs/reports.ts'
import { submit } from '../src/jobs/submit.ts'
import { specOfPass } from '../src/store/reports.ts'

/** Appeals against a refusal. */
export const appeal: Command = {
  name: 'appeal',
  actions: {
    '': action({
      verb: 'appeal',
      options: {
        report: { kind: 'integer', least: 0, most: 999_999_999_999 },
        reason: { kind: 'text', mostCharacters: reasonLimit },
        draw: { kind: 'integer', least: 1, most: 2 ** 31 - 1 },
      },
      run: async (context, { report: refusalId, reason = '', draw }) => {
        if (draw !== undefined) return drawOnce(context, draw)
        const { say, services, guild, member, nowMs } = context
        const reporting = { database: services.database, guild, member, nowMs }
        const { id, rule } = await appealRefusal(reporting, { refusalId, note: reason })
        return privately({ text: say('appeal.done', { report: id, rule }) })
      },
    }),
  },
}

/** Draws what an appeal has won; admission finds the pass by its words, and uses it up. */
async function drawOnce(context: Context, report: number): Promise<Reply> {
  const { services, member, asked } = context
  const spec = await specOfPass(services.database, member, report)
  if (!spec) throw new UserError('pass-unknown', {})
  return queuedReply(context, await submit(services.admission, asked, spec))
}
