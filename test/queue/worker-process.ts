/**
 * A worker as the queue sees it, in a process of its own, to be killed by tests: takes one dispatch
 * of the class, says what happens to it, and settles it when it is sent anything. Drains at SIGTERM, as a worker does.
 */
import { LeaseEnded } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'

const [databaseUrl, deviceClass] = process.argv.slice(2)

/** What it says, one word and its facts. */
export type Said =
  | { readonly said: 'ready' }
  | { readonly said: 'took'; readonly jobId: string; readonly attempt: number }
  | { readonly said: 'ended'; readonly why: string }
  | { readonly said: 'settled'; readonly end: string }

const say = (what: Said): unknown => process.send?.(what)

const queue = await Queue.open(databaseUrl!, { onError: (error) => console.error(error) })
const stop = new AbortController()
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => {
  stop.abort()
  void queue.close().then(() => process.disconnect())
})
say({ said: 'ready' })
const lease = await queue.take(deviceClass!, stop.signal)
if (lease) {
  lease.signal.addEventListener('abort', () => {
    const reason: unknown = lease.signal.reason
    say({ said: 'ended', why: reason instanceof LeaseEnded ? reason.why : String(reason) })
  })
  process.on('message', () => {
    void queue.settle(lease, 'done').then((end) => say({ said: 'settled', end }))
  })
  say({ said: 'took', jobId: lease.jobId, attempt: lease.attempt })
}
