/**
 * Runs graphs: the only file that knows onnxruntime-node. Weights stay in their .safetensors files:
 * the model is handed over as bytes, external data is looked up from the root of the file system.
 * Careful: `create` and `run` block the thread, and a run cannot be cancelled.
 */
import { availableParallelism } from 'node:os'
import { isAbsolute, parse, relative, sep } from 'node:path'
import * as ort from 'onnxruntime-node'
import { type DType, type Tensor, type TensorData, float32 } from '../tensor.ts'
import type { Graph } from './graph.ts'

/** How a session trades memory for speed. */
export type SessionOptions = {
  /**
   * True copies the weights into memory when the session is created, as float32 and packed for the
   * processor: faster. False leaves them mapped from their file, where the system may drop them and
   * read them again, and widens 16-bit ones in every run. Same results but for rounding.
   */
  readonly expandsWeights: boolean
  /** Threads of one run, 1 or more; by default every processor. */
  readonly threads?: number
}

/** Tensors by the names of a graph's inputs. */
export type Feeds = Readonly<Record<string, Tensor<DType>>>

/** Tensors by the names of a graph's outputs; the caller owns them. */
export type Outputs = Readonly<Record<string, Tensor>>

/** A graph made ready to run. Whoever creates it releases it. */
export class Session {
  readonly #session: ort.InferenceSession

  private constructor(session: ort.InferenceSession) {
    this.#session = session
  }

  /** Hands `graph` to onnxruntime; blocks while it optimises the graph. */
  static async create(graph: Graph, options: SessionOptions): Promise<Session> {
    const root = commonRoot(graph.files())
    const model = graph.encode((file) => relative(root, file).split(sep).join('/'))
    const extra: Record<string, string> = {
      // Careful: threads that wait for work by spinning steal the processor from the next session.
      'session.intra_op.allow_spinning': '0',
      'session.model_external_initializers_file_folder_path': root,
    }
    // Careful: constant folding would turn every 16-bit weight into a float32 copy in memory, and
    // pre-packing would copy every float32 weight.
    if (!options.expandsWeights) {
      extra['optimization.disable_specified_optimizers'] = 'ConstantFolding'
      extra['session.disable_prepacking'] = '1'
    }
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads ?? availableParallelism(),
      // One arena a session would each keep its own peak for good; plain allocation costs 16-bit
      // weights about a tenth of their time, for the pages of each widened copy.
      enableCpuMemArena: false,
      logSeverityLevel: 3,
      extra,
    })
    return new Session(session)
  }

  /** Runs the graph once; blocks. Every output of the engine's graphs is float32. */
  async run(feeds: Feeds): Promise<Outputs> {
    const inputs: Record<string, ort.Tensor> = {}
    for (const [name, { dtype, shape, data }] of Object.entries(feeds)) {
      inputs[name] = ortTensor(dtype, data, shape)
    }
    const outputs = await this.#session.run(inputs)
    const results: Record<string, Tensor> = {}
    for (const [name, { data, dims }] of Object.entries(outputs)) {
      if (!(data instanceof Float32Array))
        throw new Error(`internal: output ${name} is not float32`)
      results[name] = float32([...dims], data)
    }
    return results
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    await this.#session.release()
  }
}

/** Wraps data without copying it. */
function ortTensor(dtype: DType, data: TensorData[DType], shape: readonly number[]): ort.Tensor {
  if (dtype === 'bfloat16') throw new Error('internal: bfloat16 cannot be fed to a graph')
  // The vendor's types pair each element type with its array by overloads, which a union defeats.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
}

/** A session that is created when it is first run, and again if it is run after its release. */
export class LazySession {
  readonly #graph: Graph
  readonly #options: SessionOptions
  #session: Promise<Session> | undefined

  constructor(graph: Graph, options: SessionOptions) {
    this.#graph = graph
    this.#options = options
  }

  /** Runs the graph once; blocks. */
  async run(feeds: Feeds): Promise<Outputs> {
    const session = (this.#session ??= Session.create(this.#graph, this.#options))
    try {
      await session
    } catch (error) {
      // A file may be back, or memory free, the next time.
      if (this.#session === session) this.#session = undefined
      throw error
    }
    return (await session).run(feeds)
  }

  /** Runs a graph that has a single output. */
  async compute(feeds: Feeds): Promise<Tensor> {
    const [output] = Object.values(await this.run(feeds))
    if (!output) throw new Error('internal: session: expected an output, got none')
    return output
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    // Whoever ran a session that could not be created has heard of it.
    const session = this.#session?.catch(() => undefined)
    // Careful: forgotten before anything is awaited, so that a second release finds nothing.
    this.#session = undefined
    await (await session)?.release()
  }
}

/** The root from which onnxruntime may look weights up; one drive only, on systems that have several. */
function commonRoot(files: ReadonlySet<string>): string {
  const roots = new Set([...files].map((file) => parse(file).root))
  const [root = parse(process.cwd()).root] = roots
  if (roots.size > 1 || [...files].some((file) => !isAbsolute(file))) {
    throw new Error(
      `internal: session: expected absolute paths on one drive, got ${[...files].join()}`,
    )
  }
  return root
}
