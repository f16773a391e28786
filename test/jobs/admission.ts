/** Guilds, members and wishes for tests of admission: all of them new, with nothing in use. */
import { randomBytes } from 'node:crypto'
import { UserError } from '../../src/core/errors.ts'
import { jobIdBytes, jobIdOf } from '../../src/core/job-id.ts'
import type { JobSpec } from '../../src/core/job-spec.ts'
import type { Asked } from '../../src/jobs/submit.ts'

let names = 0

/** A name that nothing else in this file's database has. */
export function newName(): string {
  names += 1
  return `name-${names}`
}

/** An id that no job has. */
export function newJobId(): string {
  return jobIdOf(randomBytes(jobIdBytes))
}

/** Somebody asks, in a guild of their own unless told otherwise. */
export function newAsked(facts: Partial<Asked> = {}): Asked {
  return {
    platform: 'discord',
    guild: newName(),
    channel: 'pictures',
    member: newName(),
    roleIds: [],
    isModerator: false,
    isOperator: false,
    invocationId: newName(),
    replyTo: { channel: 'pictures', message: 'm1' },
    ...facts,
  }
}

/** A small picture. */
export function newSpec(facts: Partial<JobSpec> = {}): JobSpec {
  return {
    kind: 'imagine',
    prompt: 'a red fox in the snow',
    width: 512,
    height: 512,
    seed: 7,
    count: 1,
    evaluations: 8,
    guidance: 0,
    isRaw: false,
    isPrivate: false,
    ...facts,
  }
}

/** Code and facts of the refusal of an attempt. */
export async function refusalOf(
  attempt: Promise<unknown>,
): Promise<{ readonly code: string; readonly params: Readonly<Record<string, unknown>> }> {
  const error: unknown = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (error instanceof UserError) return { code: error.code, params: error.params }
  throw error ?? new Error('expected a refusal, got success')
}
