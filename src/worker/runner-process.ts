/**
 * The child process that holds the model. onnxruntime blocks its thread for as long as a run takes
 * and cannot be cancelled, so the model lives where it can be killed without harm. It speaks only
 * IPC (`runner-protocol.ts`) and serves one parent, with whom it ends. Its argument is the parent's
 * process id.
 */
import { Worker } from 'node:worker_threads'
import { type ItemStep, Pipeline } from '../engine/pipeline.ts'
import { type Answer, type Request, failureOf } from './runner-protocol.ts'

/** `stops` holds one for each spec. */
type Generation = {
  readonly steps: AsyncGenerator<ItemStep>
  readonly stops: readonly AbortController[]
}

type Start = Extract<Request, { type: 'start' }>

let pipeline: Pipeline | undefined
const generations = new Map<number, Generation>()

// Ctrl+C in a terminal reaches the whole process group; what becomes of us is the parent's decision.
process.on('SIGINT', () => {})
// A parent that dies takes us along: at once while we are idle, by the watch during a run.
process.on('disconnect', () => process.exit())
const parentPid = Number(process.argv[2])
new Worker(new URL('parent-watch.ts', import.meta.url), { workerData: parentPid }).unref()

process.on('message', (request: Request) => {
  if (request.type === 'open') void reply(request.id, open(request))
  else if (request.type === 'start') start(request)
  else if (request.type === 'next') void reply(request.id, next(request.id))
  else if (request.type === 'drop') generations.get(request.id)?.stops[request.item]?.abort()
  else end(request.id)
})

async function reply(id: number, work: Promise<Answer>): Promise<void> {
  let answer: Answer
  try {
    answer = await work
  } catch (error) {
    answer = { type: 'error', id, error: failureOf(error) }
  }
  process.send!(answer)
}

async function open({ id, folder, options }: Extract<Request, { type: 'open' }>): Promise<Answer> {
  pipeline = await Pipeline.open(folder, options)
  return { type: 'ready', id, facts: pipeline.facts }
}

function start(request: Start): void {
  const stops = request.specs.map(() => new AbortController())
  const signals = stops.map(({ signal }) => signal)
  generations.set(request.id, { steps: generate(request, signals), stops })
}

async function next(id: number): Promise<Answer> {
  const generation = generations.get(id)
  if (generation === undefined) return { type: 'done', id }
  try {
    const result = await generation.steps.next()
    if (!result.done) return answerOf(id, result.value)
  } catch (error) {
    generations.delete(id)
    throw error
  }
  generations.delete(id)
  return { type: 'done', id }
}

/** Ends a generation early: a step under way stops where the engine next looks at its signal. */
function end(id: number): void {
  const generation = generations.get(id)
  generations.delete(id)
  for (const stop of generation?.stops ?? []) stop.abort()
  // Whoever returned is gone: a failure on the way out has no one left to hear it but the log.
  generation?.steps.return(undefined).catch((error: unknown) => console.error(error))
}

/** Does nothing, not even check the spec, before its first step is asked for. */
async function* generate(
  { specs, options }: Start,
  signals: readonly AbortSignal[],
): AsyncGenerator<ItemStep> {
  if (pipeline === undefined) throw new Error('internal: runner asked to draw before open')
  yield* pipeline.generateTogether(specs, { ...options, signals })
}

function answerOf(id: number, drawn: ItemStep): Answer {
  if ('step' in drawn) return { type: 'step', id, ...drawn }
  return { type: 'error', id, item: drawn.item, error: failureOf(drawn.error) }
}
