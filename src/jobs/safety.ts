/**
 * What a guild does not draw. Only what is to be seen is compared with its words: what a picture is
 * to keep away from may well name them. A refusal names the rule and is audited, without the prompt;
 * the prompt is kept for a few days for the member alone, who may show it to moderators by appealing.
 */
import { UserError } from '../core/errors.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { WordList } from '../core/moderation.ts'
import { audit, type StoredGuild, type StoredMember, wordsOf } from '../store/guilds.ts'
import type { Database } from '../store/prisma.ts'
import { keepRefusal } from '../store/refusals.ts'

/** Whether a guild draws this. @throws {UserError} prompt-refused, which is in the audit log then */
export async function checkWords(
  database: Database,
  asked: {
    readonly guild: StoredGuild
    readonly member: StoredMember
    readonly spec: JobSpec
    readonly nowMs: number
  },
): Promise<void> {
  const { guild, member, spec, nowMs } = asked
  const words = new WordList(await wordsOf(database, guild))
  try {
    words.check(spec.prompt)
  } catch (error) {
    if (error instanceof UserError) {
      const rule = String(error.params.rule)
      const facts = { rule, kind: spec.kind }
      await keepRefusal(database, { member, rule, prompt: spec.prompt, nowMs })
      await audit(database, { guild, member, action: 'prompt refused', facts, nowMs })
    }
    throw error
  }
}
