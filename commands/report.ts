/** Shows moderators a picture that should not be there. They are not pinged. */
import { action, type Command } from '../src/chat/command.ts'
import { privately } from '../src/chat/message.ts'
import { checkedJobId } from '../src/chat/wishes.ts'
import { reasonLimit } from '../src/core/guild.ts'
import { reportPicture } from '../src/jobs/reports.ts'

/** Reports a picture. */
export const report: Command = {
  name: 'report',
  actions: {
    '': action({
      verb: 'report',
      options: {
        job: { kind: 'job', isRequired: true },
        reason: { kind: 'text', mostCharacters: reasonLimit, isRequired: true },
        picture: { kind: 'integer', least: 1, most: 8 },
      },
      run: async ({ say, services, guild, member, nowMs }, { job, reason, picture = 1 }) => {
        const reporting = { database: services.database, guild, member, nowMs }
        const reported = { jobId: checkedJobId(job), picture, note: reason }
        const id = await reportPicture(reporting, reported)
        return privately({ text: say('report.done', { report: id }) })
      },
    }),
  },
}
