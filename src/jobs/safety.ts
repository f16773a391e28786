/**
 * What a guild does not draw. Only what is to be seen is compared with its words: what a picture is
 * to keep away from may well name them. A refusal names the rule and is audited, without the prompt;
 * who appeals shows it to the moderators themselves.
 */
import { UserError } from '../core/errors.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { WordList } from '../core/moderation.ts'
import { audit, type StoredGuild, type StoredMember, wordsOf } from '../store/guilds.ts'
import type { Database } from '../store/prisma.ts'

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
      const facts = { rule: String(error.params.rule), kind: spec.kind }
      await audit(database, { guild, member, action: 'prompt refused', facts, nowMs })
    }
    throw error
  }
}
