/**
 * What a button says when it is pressed: `v1:VERB:SUBJECT[:N]`, a command and its first options, with
 * no state anywhere else, so that a button works for as long as what it is about exists. At most 100
 * characters of ASCII, which is what the strictest platform allows. A press is hostile until parsed:
 * what it names may be anybody's, and is checked by the command as if it had been typed.
 */

/** A command's name and action (`queue cancel`), and the options that a button gives. */
export type Action = {
  readonly command: string
  /** `job` (10 characters), `report`, `draw` or `page` (digits, 12 at most), and `picture`. */
  readonly options: Readonly<Record<string, string | number>>
}

/** Verbs of buttons: the command behind each, and the option that its subject is. */
const verbs = {
  again: { command: 'again', subject: 'job' },
  edit: { command: 'edit', subject: 'job' },
  cancel: { command: 'queue cancel', subject: 'job' },
  info: { command: 'gallery info', subject: 'job' },
  keep: { command: 'gallery keep', subject: 'job' },
  drop: { command: 'gallery drop', subject: 'job' },
  delete: { command: 'gallery delete', subject: 'job' },
  report: { command: 'report', subject: 'job' },
  appeal: { command: 'appeal', subject: 'report' },
  uphold: { command: 'studio reports uphold', subject: 'report' },
  dismiss: { command: 'studio reports dismiss', subject: 'report' },
  'gallery-page': { command: 'gallery mine', subject: 'page' },
  'kept-page': { command: 'gallery kept', subject: 'page' },
  /** Draws what an appeal has won, once. */
  draw: { command: 'appeal', subject: 'draw' },
  'audit-page': { command: 'studio audit', subject: 'page' },
  'reports-page': { command: 'studio reports list', subject: 'page' },
  'words-page': { command: 'studio words list', subject: 'page' },
  'line-clear': { command: 'studio queue clear', subject: 'confirm' },
  'privacy-export': { command: 'privacy export', subject: 'from' },
  'privacy-delete': { command: 'privacy delete', subject: 'confirm' },
} as const satisfies Readonly<
  Record<string, { readonly command: string; readonly subject: string }>
>

/** The verb of a button. */
export type ActionVerb = keyof typeof verbs

/** What a button says. */
export function printAction(verb: ActionVerb, subject: string | number, picture?: number): string {
  const said = ['v1', verb, String(subject), ...(picture === undefined ? [] : [String(picture)])]
  return said.join(':')
}

/** What a button said; none if it is none of ours, in this version or any other. */
export function parseAction(text: string): Action | undefined {
  const match = /^v1:([a-z-]{1,20}):([0-9a-z]{1,20})(?::([1-8]))?$/.exec(text)
  const [, verb = '', value = '', picture] = match ?? []
  if (!isVerb(verb)) return undefined
  const { command, subject } = verbs[verb]
  const isNumber = subject !== 'job' && subject !== 'confirm'
  if (isNumber && !/^\d{1,12}$/.test(value)) return undefined
  return {
    command,
    options: {
      [subject]: isNumber ? Number(value) : value,
      ...(picture !== undefined && { picture: Number(picture) }),
    },
  }
}

/** What a button for this command and these options says; none if no button can say it. */
export function actionFor({ command, options }: Action): string | undefined {
  const found = Object.entries(verbs).find(([, verb]) => verb.command === command)
  const [verb, of] = found ?? []
  const subject = of === undefined ? undefined : options[of.subject]
  if (verb === undefined || !isVerb(verb) || subject === undefined) return undefined
  const { picture } = options
  return printAction(verb, subject, typeof picture === 'number' ? picture : undefined)
}

function isVerb(name: string): name is ActionVerb {
  return Object.hasOwn(verbs, name)
}
