/**
 * What can go wrong in a way that people can do something about: a closed list of codes, each with
 * the facts its sentence needs. No sentence lives here: the locales hold one as `errors.CODE`, and
 * a test keeps codes and facts equal to theirs. The engine's codes keep their names.
 */

const factsOfCode = {
  // What the engine refuses.
  'file-missing': ['file'],
  'file-invalid': ['file', 'field', 'expected', 'got'],
  'tensor-missing': ['file', 'tensor'],
  'tensor-mismatch': ['file', 'tensor', 'expected', 'got'],
  'spec-invalid': ['field', 'expected', 'got'],
  'image-unsupported': ['expected', 'got'],
  'image-broken': ['reason'],
  'image-too-large': ['limit', 'got', 'unit'], // unit: bytes | pixels | side
  // The process that holds the model.
  'model-missing': ['folder'],
  'runner-start-failed': ['reason'],
  'runner-crashed': ['signal', 'exitCode'], // signal: its name, or none: then exitCode tells
  'runner-out-of-memory': [],
  'runner-stopped': [],
  // Jobs at a device.
  'drawing-failed': [],
  'image-missing': [],
  'picture-refused': ['rule'], // rule: the picture check's name for what it found
  // The house.
  busy: ['waiting'],
  'port-taken': ['host', 'port'],
  'listen-failed': ['host', 'port', 'reason'],
  'health-listen-failed': ['host', 'port', 'reason'],
  // The database.
  'data-folder-closed': ['folder', 'closed'], // closed: the folder that user nobody cannot enter
  'data-folder-in-use': ['folder'],
  'data-folder-unusable': ['folder', 'reason'],
  'disk-full': ['folder'],
  'database-missing': ['folder'],
  'database-unsupported': ['platform'],
  'database-version': ['folder', 'expected', 'got'],
  'database-start-failed': ['reason', 'log'],
  'database-unreachable': ['reason'],
  'database-newer': ['migration'],
  'migration-edited': ['migration'],
  'migration-failed': ['migration', 'reason'],
  'blobs-unreachable': ['place', 'reason'], // reason: a status of HTTP, or the system's code
  'blobs-invalid': ['place'],
  // Backups.
  'backup-nothing': [],
  'backup-unwritable': ['file', 'reason'],
  'backup-unreadable': ['file', 'reason'],
  'backup-broken': ['file', 'reason'], // reason: truncated | format | manifest | content
  'backup-newer': ['file', 'migration'],
  'restore-not-empty': [],
  'restore-in-use': ['sessions'],
  'restore-other-version': [],
  // What the doctor alone looks at.
  'disk-low': ['folder', 'freeMb', 'neededMb'],
  'clock-skewed': ['seconds'],
  'worker-missing': [],
  // The command line.
  'usage-wrong': ['usage'],
  'command-unknown': ['command', 'nearest'], // nearest: a command, or none
  'argument-unexpected': ['argument'],
  'option-unknown': ['option', 'nearest'], // nearest: an option, or none
  'option-invalid': ['option', 'expected', 'got'], // expected: integer | number | precision | format
  'option-value-missing': ['option'],
  'prompt-missing': [],
  'image-unreadable': ['file', 'reason'],
  'output-unwritable': ['file', 'reason'],
  // What people ask for, in words and flags. Facts `waitMs, wait, unit` are wait.ts's.
  'text-too-long': ['limit', 'got'],
  'flag-unknown': ['flag', 'nearest', 'flags'], // nearest: a flag, or none; flags: all there are
  'flag-invalid': ['flag', 'expected', 'least', 'most', 'got'], // expected: whole | number | ar | size | style
  'flag-value-missing': ['flag'],
  'flag-value-unexpected': ['flag'],
  'size-not-allowed': ['size', 'reason', 'leastSide', 'mostSide', 'mostPixels', 'nearest'], // reason: multiple | side | area
  'job-too-large': ['field', 'most', 'got'], // field: count | evaluations
  'style-unknown': ['style', 'nearest'], // nearest: a style, or none
  'style-invalid': ['field', 'limit', 'place'], // field: name | template | negative
  'prompt-refused': ['rule'],
  'word-invalid': ['limit'],
  'prompt-empty': [],
  'model-unknown': [],
  'pictures-too-many': ['got'],
  'picture-missing': [],
  'picture-unknown': ['job', 'picture'],
  'consent-missing': [],
  'job-not-ended': ['job'],
  'nothing-drawn': [],
  // Who may ask, where, and how much.
  'not-allowed': ['verb', 'needed'], // needed: member | moderator | operator
  'guild-not-served': [],
  'member-blocked': [],
  'member-blocked-for': ['waitMs', 'wait', 'unit'],
  'guild-paused': ['reason'], // a moderator's words, or none
  'channel-closed': [],
  'member-queue-full': ['most', 'waitMs', 'wait', 'unit'],
  'guild-queue-full': ['most', 'waitMs', 'wait', 'unit'],
  'wait-too-long': ['mostMinutes', 'waitMs', 'wait', 'unit'],
  'member-rate-limited': ['most', 'waitMs', 'wait', 'unit'],
  'guild-rate-limited': ['most', 'waitMs', 'wait', 'unit'],
  'quota-used-up': ['whose', 'waitMs', 'wait', 'unit'], // whose: member | guild
  'quota-too-small': ['whose', 'most', 'got'], // in seconds of device time
  'job-unknown': ['job'],
  'device-lost': [], // with the job, as often as it may be
  // What is said to the bot; options and commands in words of the locale.
  'saying-unknown': ['command', 'nearest'], // nearest: a command, or none
  'action-unknown': ['command', 'action', 'actions'],
  'button-unknown': [],
  'value-missing': ['option', 'command'],
  'value-invalid': ['option', 'expected', 'least', 'most', 'choices', 'got'], // expected: an option's kind
  'words-unexpected': ['command', 'words'],
  'setting-invalid': ['setting', 'least', 'most', 'got', 'nearest'],
  // What moderators set and answer.
  'setting-not-offered': ['setting', 'offered', 'got', 'nearest'], // nearest: one of them, or none
  'quota-invalid': ['field', 'least', 'most', 'got', 'nearest'], // field: amount | cap, in seconds
  'quota-incomplete': ['missing'], // missing: role | member | amount
  'quota-contradictory': [],
  'member-unknown': ['member', 'nearest'], // nearest: a member's name, or none
  'member-not-blocked': ['member'],
  'block-own': [],
  'words-full': ['limit'],
  'word-unknown': ['word', 'nearest'], // nearest: a word of the list, or none
  'styles-full': ['limit'],
  'channels-full': ['limit'],
  'report-unknown': ['report'],
  'report-answered': ['report', 'state'], // state: upheld | dismissed
  'report-repeated': [],
  'reports-rate-limited': ['most', 'waitMs', 'wait', 'unit'],
  'refusal-unknown': [],
  'pass-unknown': [],
} as const satisfies Record<string, readonly string[]>

/** Every expected failure that people can meet. */
export type ErrorCode = keyof typeof factsOfCode

/** A code with exactly its facts: names, paths, numbers. Never secrets, never prompts. */
export type Fault = {
  [C in ErrorCode]: [
    code: C,
    params: { readonly [fact in (typeof factsOfCode)[C][number]]: string | number },
  ]
}[ErrorCode]

/** Names of the facts of each code, for whoever checks sentences against them. */
export const errorFacts: Readonly<Record<string, readonly string[]>> = factsOfCode

/** Whether a code from another process is one of ours and has the facts of its sentence. */
export function isFault(
  fault: readonly [code: string, params: Readonly<Record<string, string | number>>],
): fault is Fault {
  const [code, params] = fault
  return Object.hasOwn(errorFacts, code) && errorFacts[code]!.every((fact) => fact in params)
}

/** An expected failure: `code` and `params` make a sentence in a locale, `message` is for logs. */
export class UserError extends Error {
  readonly code: ErrorCode
  readonly params: Readonly<Record<string, string | number>>

  constructor(...[code, params, options]: [...fault: Fault, options?: ErrorOptions]) {
    const facts = Object.entries(params).map(([name, value]) => `${name} ${value}`)
    super([code, ...facts].join(', '), options)
    this.name = 'UserError'
    this.code = code
    this.params = params
  }
}
