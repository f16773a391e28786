/**
 * Runs the tests: every file under test/ that ends in `.test.ts` and whose path contains one of the
 * arguments (none given: all), each in a process of its own, two at a time. Node's own runner and
 * reporter; what is ours is the order at the end (failed tests, then every line that a test printed
 * as `measured: ...`, then Node's closing lines) and that a file which hangs is ended and fails by
 * its name, even when it hangs in a loop.
 */
import { globSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { type TestEvent, spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const filesAtOnce = 2
const limitMs = 5 * 60_000
const startMs = performance.now()
const root = fileURLToPath(new URL('..', import.meta.url))

const filters = process.argv.slice(2)
const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .toSorted()
if (files.length === 0) {
  console.error(`expected a test file whose path contains ${filters.join(' or ')}, got none`)
  process.exit(1)
}

/** Sums of the numbers in Node's closing lines (`tests 12`), in Node's order. */
const closing = new Map<string, number>()
const measured: string[] = []
const figure = /^measured: /
let isSuccess = true

/** Takes out of a file's events what belongs to the end; gives back the rest. */
function setAside(file: string, events: readonly TestEvent[]): TestEvent[] {
  const rest: TestEvent[] = []
  let printed = ''
  for (const event of events) {
    if (event.type === 'test:stdout') {
      printed += event.data.message
    } else if (event.type === 'test:summary') {
      isSuccess &&= event.data.success
    } else if (event.type === 'test:diagnostic' && event.data.file === undefined) {
      const [name, count] = event.data.message.split(' ')
      closing.set(name!, (closing.get(name!) ?? 0) + Number(count))
    } else {
      rest.push(event)
    }
  }
  const lines = printed.split('\n')
  measured.push(...lines.filter((line) => figure.test(line)))
  const message = lines.filter((line) => !figure.test(line)).join('\n')
  return [{ type: 'test:stdout', data: { file, message } }, ...rest]
}

const report = spec()
report.pipe(process.stdout, { end: false })

const waiting = [...files]
async function runFiles(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort(new Error(`${file} was still running after ${limitMs / 1000} s and was ended`))
    }, limitMs)
    // One run for each file: only a whole run can be ended from outside, its process included.
    const stream = run({ cwd: root, files: [file], signal: late.signal })
    const events: TestEvent[] = await stream.toArray()
    clearTimeout(timer)
    for (const event of setAside(file, events)) report.write(event)
  }
}
await Promise.all(Array.from({ length: filesAtOnce }, runFiles))
report.end()
await finished(report)

if (measured.length > 0) console.log(`\n${measured.toSorted().join('\n')}\n`)
closing.set('duration_ms', performance.now() - startMs)
const summary = spec()
summary.pipe(process.stdout, { end: false })
for (const [name, count] of closing) {
  const data = { nesting: 0, message: `${name} ${count}`, level: 'info' } as const
  summary.write({ type: 'test:diagnostic', data })
}
summary.end()
await finished(summary)
process.exitCode = isSuccess ? 0 : 1
