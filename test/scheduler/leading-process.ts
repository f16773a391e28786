/** A process that leads when it can, and says so; to be killed and frozen by tests. */
import { once } from 'node:events'
import { whileLeading } from '../../src/scheduler/leader.ts'

const [databaseUrl] = process.argv.slice(2)
const stop = new AbortController()
process.once('disconnect', () => process.exit())

await whileLeading(
  async (signal) => {
    process.send?.('leads')
    if (!signal.aborted) await once(signal, 'abort')
    process.send?.('stops')
  },
  { databaseUrl: databaseUrl!, signal: stop.signal, onError: (error) => console.error(error) },
)
