/**
 * What is written down of what moderators do, and rules in their name: a closed list of actions with
 * the facts of each, how it was and how it is among them, so that each can be told as a sentence in
 * anybody's language. Never a prompt.
 */

const factsOfAction = {
  // `was` and `is` as `printQuota` gives them; `id` is empty for the guild and for everyone.
  'quota set': ['subject', 'id', 'was', 'is'], // subject: guild | everyone | role | member
  'quota reset': ['target', 'wasSeconds'],
  'weight set': ['was', 'is'],
  'drawing paused': ['reason'],
  'drawing resumed': ['reason'], // why it had been paused
  'job cancelled': ['jobId'],
  'pictures deleted': ['jobId', 'pictures'], // pictures: how many
  'queue cleared': ['target', 'jobs'], // target: whose jobs; empty for everybody's
  'member blocked': ['target', 'hours', 'reason', 'was'], // hours: 0 for good; was: free | blocked
  'member unblocked': ['target', 'reason'],
  'word added': ['word'],
  'word removed': ['word'],
  'channel set': ['channel', 'was', 'is'], // allowed | denied | unset
  'channels reset': ['allowed', 'denied'], // how many there were
  'style added': ['style', 'was', 'is'], // templates; was: empty for a new one
  'style removed': ['style', 'was'],
  'setting set': ['setting', 'was', 'is'],
  'moderator added': ['target'],
  'moderator removed': ['target'],
  'report upheld': ['report', 'jobId', 'picture'],
  'report dismissed': ['report', 'jobId', 'picture'],
  'appeal upheld': ['report', 'rule', 'target'],
  'appeal dismissed': ['report', 'rule', 'target'],
  'pass used': ['report', 'rule', 'jobId'],
  'prompt refused': ['rule', 'kind'], // kind: imagine | edit | again
} as const satisfies Record<string, readonly string[]>

/** What can be written down. */
export type AuditAction = keyof typeof factsOfAction

/** An action with exactly its facts. */
export type Audited = {
  [A in AuditAction]: {
    readonly action: A
    readonly facts: { readonly [fact in (typeof factsOfAction)[A][number]]: string | number }
  }
}[AuditAction]

/** Names of the facts of each action, for whoever checks sentences against them. */
export const auditFacts: Readonly<Record<string, readonly string[]>> = factsOfAction

/** Whether an entry, perhaps of another version of the program, is one that we can tell. */
export function isAudited(entry: {
  readonly action: string
  readonly facts: Readonly<Record<string, unknown>>
}): entry is Audited {
  const names = Object.hasOwn(auditFacts, entry.action) ? auditFacts[entry.action]! : undefined
  return names?.every((name) => ['string', 'number'].includes(typeof entry.facts[name])) === true
}
