/**
 * What a guild does not draw. Only what is to be seen is compared with its words: what a picture is
 * to keep away from may well name them. A refusal names the rule and is audited, without the prompt;
 * the prompt is kept for a few days for the member alone, who may show it to moderators by appealing.
 * Who has appealed with success draws it once nevertheless.
 */
import { UserError } from '../core/errors.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { isRefusalAudited } from '../store/audit.ts'
import { audit, type StoredGuild, type StoredMember } from '../store/guilds.ts'
import type { Database } from '../store/prisma.ts'
import { keepRefusal } from '../store/refusals.ts'
import { type Pass, passFor } from '../store/reports.ts'
import { wordListOf } from './word-lists.ts'

/** A member who tries the same again and again is one entry of the audit log in so long. */
const auditedEveryMs = 60_000

/**
 * Whether a guild draws this.
 *
 * @returns the pass that is to be used up for it, undefined if it needs none
 * @throws {UserError} prompt-refused, which is in the audit log then
 */
export async function checkWords(
  database: Database,
  asked: {
    readonly guild: StoredGuild
    readonly member: StoredMember
    readonly spec: JobSpec
    readonly nowMs: number
  },
): Promise<Pass | undefined> {
  const { guild, member, spec, nowMs } = asked
  const words = await wordListOf(database, guild, nowMs)
  const rule = words.hits(spec.prompt)[0]?.rule
  if (rule === undefined) return undefined
  const pass = await passFor(database, member, spec.prompt)
  if (pass !== undefined) return pass
  await keepRefusal(database, { member, rule, spec, nowMs })
  const sinceMs = nowMs - auditedEveryMs
  if (!(await isRefusalAudited(database, member, { rule, sinceMs }))) {
    const facts = { rule, kind: spec.kind }
    await audit(database, { guild, member, action: 'prompt refused', facts, nowMs })
  }
  throw new UserError('prompt-refused', { rule })
}
