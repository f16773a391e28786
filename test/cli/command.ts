/** A command of ours as a process, for tests of what it says and how it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Exit code and all that was said, on either stream. */
export type Ended = readonly [exitCode: number | null, said: string]

/** Runs a command to its end, speaking English unless told otherwise. */
export async function runCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Ended> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: root,
    env: { ...process.env, LC_ALL: 'C', ...environment },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => (said += String(text)))
  }
  await once(child, 'close')
  return [child.exitCode, said]
}
