/** The audit log in words: who did what and when, how it was and how it is, a sentence for each. */
import { action } from '../../src/chat/command.ts'
import type { Words } from '../../src/chat/i18n.ts'
import { privately } from '../../src/chat/message.ts'
import { momentText } from '../../src/chat/times.ts'
import { type Audited, isAudited } from '../../src/core/audit.ts'
import { readQuota } from '../../src/core/quota-amount.ts'
import { type SettingName, settingNames } from '../../src/core/setting-text.ts'
import { auditPage, type AuditRecord } from '../../src/store/audit.ts'
import { namesOf } from '../../src/store/directory.ts'
import { settingLabel, settingValue } from './guild.ts'
import { pageButtons, pageOption } from './moderating.ts'
import { quotaText, type UsualPicture, usualPicture } from './quota.ts'

const entriesOfPage = 10

const audit = action({
  verb: 'studio audit',
  options: { page: pageOption },
  run: async (context, { page = 1 }) => {
    const { say, locale, services, guild } = context
    const size = entriesOfPage
    const { records, pages } = await auditPage(services.database, guild, { page, size })
    const nameOf = await namesOf(services.database, guild, records.flatMap(membersIn))
    const telling = { say, nameOf, picture: await usualPicture(context) }
    const items = records.map((record) => ({
      title: say('studio.audit-entry', {
        at: momentText(locale, record.atMs),
        name: record.member === undefined ? say('studio.somebody') : nameOf(record.member),
      }),
      text: toldOf(telling, record),
    }))
    return privately({
      text: say('studio.audit', { page, pages }),
      items,
      ...pageButtons(say, 'audit-page', { page, pages }),
    })
  },
})

/** The action that shows the audit log. */
export const auditActions = { audit }

/** With what entries are told. */
export type Telling = {
  readonly say: Words
  readonly nameOf: (id: string) => string
  readonly picture: UsualPicture
}

/** An entry in words; one of another version of the program by its name alone. */
export function toldOf(
  telling: Telling,
  { action, facts }: Pick<AuditRecord, 'action' | 'facts'>,
): string {
  const entry = { action, facts }
  if (!isAudited(entry)) return telling.say('audit.other', { action })
  return telling.say(`audit.${entry.action}`, inWords(telling, entry))
}

/** Facts as they are said: names for ids, amounts and settings in words. */
function inWords(
  { say, nameOf, picture }: Telling,
  { action, facts }: Audited,
): Readonly<Record<string, string | number>> {
  if (action === 'quota set') {
    const { subject: whose, id, was, is } = facts
    const name = whose === 'member' ? nameOf(String(id)) : id
    return {
      subject: say('studio.quota-subject', { whose, name }),
      was: quotaText(say, readQuota(String(was)), picture),
      is: quotaText(say, readQuota(String(is)), picture),
    }
  }
  if (action === 'setting set') {
    const name = settingNames.find((each) => each === facts.setting)
    return name === undefined ? facts : settingFacts(say, name, facts)
  }
  const said: Record<string, string | number> = {}
  for (const [fact, value] of Object.entries(facts)) {
    said[fact] = value === '' ? 'none' : fact === 'target' ? nameOf(String(value)) : value
  }
  return said
}

function settingFacts(
  say: Words,
  name: SettingName,
  { was, is }: { readonly was: string | number; readonly is: string | number },
): Readonly<Record<string, string>> {
  return {
    setting: settingLabel(say, name),
    was: settingValue(say, name, String(was)),
    is: settingValue(say, name, String(is)),
  }
}

/** Everybody whose name an entry is told with, by the platform's id. */
function membersIn({ member, facts }: AuditRecord): string[] {
  return [member, facts.target, facts.id].filter((id) => typeof id === 'string')
}
