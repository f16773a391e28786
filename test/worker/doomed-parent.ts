/**
 * A parent for `runner.test.ts` to kill: starts a runner, prints the child's process id and waits.
 * With the argument `busy` the child is in the middle of a step of seconds; a preloaded
 * `blocked-step.ts` makes that one which never ends.
 */
import { fileURLToPath } from 'node:url'
import { Runner } from '../../src/worker/runner.ts'
import { cpuSeconds, until } from './processes.ts'

const modelFolder = fileURLToPath(new URL('../../models/nano', import.meta.url))
const runner = await Runner.start({ modelFolder })
if (process.argv[2] === 'busy') {
  const before = cpuSeconds(runner.pid)
  void runner.generate({ prompt: 'a cat', seed: 1, width: 1024, height: 1024 }).next()
  await until('the step has begun', () => cpuSeconds(runner.pid) > before + 0.5)
}
console.log(runner.pid)
setInterval(() => {}, 1000)
