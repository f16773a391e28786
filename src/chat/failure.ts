/**
 * A failure that nobody expected, as it may be logged: its kind and where in the code it was, never
 * its message, which may hold what somebody asked for (a database's quotes the values of its query).
 */

/** What a log may hold of an error. */
export type FailureFacts = {
  readonly name: string
  /** Of the system, of Postgres or of Prisma. */
  readonly code?: string
  /** Only of our own broken promises, which say nothing of anybody's. */
  readonly message?: string
  readonly at: readonly string[]
  readonly cause?: FailureFacts
}

const mostFrames = 12

/** What may be logged of an error. */
export function failureFacts(error: unknown, depth: number = 0): FailureFacts {
  if (!(error instanceof Error)) return { name: typeof error, at: [] }
  const { name, message, stack = '', cause } = error
  // A stack begins with the message, which may have lines that look like frames.
  const frames = stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
  const code = 'code' in error ? error.code : undefined
  return {
    name,
    ...(typeof code === 'string' && { code }),
    ...(message.startsWith('internal: ') && { message }),
    at: frames.slice(0, mostFrames).map((line) => line.trim()),
    ...(cause instanceof Error && depth < 3 && { cause: failureFacts(cause, depth + 1) }),
  }
}
