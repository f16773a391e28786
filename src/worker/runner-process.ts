/**
 * The child process that holds the model. onnxruntime blocks its thread for as long as a run takes
 * and cannot be cancelled, so the model lives where it can be killed without harm. It speaks only
 * IPC (`runner-protocol.ts`) and serves one parent, with whom it ends. Its argument is the parent's
 * process id.
 */
import { Worker } from 'node:worker_threads'
import { Pipeline, type PictureSpec, type Step } from '../engine/pipeline.ts'
import { type Answer, type Request, failureOf } from './runner-protocol.ts'

type Generation = { readonly steps: AsyncGenerator<Step>; readonly stop: AbortController }

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
  else if (request.type === 'start') start(request.id, request.spec)
  else if (request.type === 'next') void reply(request.id, next(request.id))
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

function start(id: number, spec: PictureSpec): void {
  const stop = new AbortController()
  generations.set(id, { steps: generate(spec, stop.signal), stop })
}

async function next(id: number): Promise<Answer> {
  const generation = generations.get(id)
  if (generation === undefined) return { type: 'done', id }
  try {
    const result = await generation.steps.next()
    if (!result.done) return { type: 'step', id, step: result.value }
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
  generation?.stop.abort()
  // Whoever returned is gone: a failure on the way out has no one left to hear it but the log.
  generation?.steps.return(undefined).catch((error: unknown) => console.error(error))
}

/** Does nothing, not even check the spec, before its first step is asked for. */
async function* generate(spec: PictureSpec, signal: AbortSignal): AsyncGenerator<Step> {
  if (pipeline === undefined) throw new Error('internal: runner asked to draw before open')
  yield* pipeline.generate(spec, { signal })
}
