/** What members ask moderators to look at: reports of pictures, appeals against refusals. */
import { printAction } from '../../src/chat/action.ts'
import { action, type Context } from '../../src/chat/command.ts'
import type { Button, Item, ShownPicture } from '../../src/chat/message.ts'
import { privately } from '../../src/chat/message.ts'
import { pictureOf } from '../../src/chat/job-words.ts'
import { momentText } from '../../src/chat/times.ts'
import { reasonLimit } from '../../src/core/guild.ts'
import { wordsOf } from '../../src/core/wish.ts'
import { dismiss as dismissReport, uphold as upholdReport } from '../../src/jobs/reports.ts'
import { namesOf } from '../../src/store/directory.ts'
import { findJob } from '../../src/store/jobs.ts'
import { countOpen, openReports, type StoredReport } from '../../src/store/reports.ts'
import { moderatingOf, pageButtons, pageOption } from './moderating.ts'

const reportsOfPage = 5

const list = action({
  verb: 'studio reports',
  options: { page: pageOption },
  run: async (context, { page = 1 }) => {
    const { say, services, guild } = context
    const open = await countOpen(services.database, guild)
    const reports = await openReports(services.database, guild, {
      skip: (page - 1) * reportsOfPage,
      most: reportsOfPage,
    })
    const members = reports.flatMap(({ member }) => member ?? [])
    const nameOf = await namesOf(services.database, guild, members)
    const items: Item[] = []
    for (const report of reports) items.push(await reportItem(context, report, nameOf))
    const pages = Math.ceil(open / reportsOfPage)
    return privately({
      text: say('studio.reports', { open, page, pages }),
      items,
      ...pageButtons(say, 'reports-page', { page, pages }),
    })
  },
})

const report = { kind: 'integer', least: 1, most: 2 ** 31 - 1, isRequired: true } as const
const answer = { kind: 'text', mostCharacters: reasonLimit } as const

const uphold = action({
  verb: 'studio reports',
  options: { report, answer },
  run: async (context, { report: id, answer = '' }) => {
    const { say, services } = context
    const { subject } = await upholdReport(moderatingOf(context), services.blobs, { id, answer })
    return privately({ text: say('studio.upheld', { report: id, kind: subject.kind }) })
  },
})

const dismiss = action({
  verb: 'studio reports',
  options: { report, answer },
  run: async (context, { report: id, answer = '' }) => {
    const { subject } = await dismissReport(moderatingOf(context), { id, answer })
    return privately({ text: context.say('studio.dismissed', { report: id, kind: subject.kind }) })
  },
})

/** The actions about reports. */
export const reportActions = {
  'reports list': list,
  'reports uphold': uphold,
  'reports dismiss': dismiss,
}

async function reportItem(
  context: Context,
  report: StoredReport,
  nameOf: (id: string) => string,
): Promise<Item> {
  const { say, locale } = context
  const { id, subject, member, note, createdAtMs } = report
  const name = member === undefined ? say('studio.somebody') : nameOf(member)
  const isReport = subject.kind === 'report'
  const lines = [
    isReport
      ? say('studio.report-picture', { job: subject.jobId, picture: subject.picture })
      : say('studio.appeal-words', { rule: subject.rule, words: wordsOf(subject.spec) }),
    ...(note === '' ? [] : [say('studio.report-reason', { reason: note })]),
  ]
  const picture = isReport ? await coveredPicture(context, subject) : undefined
  const buttons: readonly Button[] = [
    {
      label: say('studio.uphold', { kind: subject.kind }),
      action: printAction('uphold', id),
      style: isReport ? 'danger' : 'primary',
    },
    {
      label: say('studio.dismiss', { kind: subject.kind }),
      action: printAction('dismiss', id),
      style: 'plain',
    },
  ]
  return {
    title: say('studio.report', {
      report: id,
      kind: subject.kind,
      name,
      at: momentText(locale, createdAtMs),
    }),
    text: lines.join('\n'),
    ...(picture && { picture }),
    buttons,
  }
}

/** The picture as moderators see it: covered, and named so that Discord covers it too. */
async function coveredPicture(
  { say, services }: Context,
  { jobId, picture }: { readonly jobId: string; readonly picture: number },
): Promise<ShownPicture | undefined> {
  const job = await findJob(services.database, jobId)
  const key = job?.resultKeys[picture - 1]
  if (!job || !key) return undefined
  const shown = pictureOf(say, { job: jobId, key, picture, spec: job.spec })
  return {
    ...shown,
    altText: say('studio.report-alt', { job: jobId }),
    fileName: `SPOILER_${shown.fileName}`,
    isCovered: true,
  }
}
