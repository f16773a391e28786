/**
 * Runs graphs: the only file that knows onnxruntime-node. Weights stay in their .safetensors files:
 * the model is handed over as bytes, external data is looked up from the root of the file system.
 * Careful: `create` and `run` block the thread, and a run cannot be cancelled.
 */
import { availableParallelism } from 'node:os'
import { isAbsolute, parse, relative, sep } from 'node:path'
import * as ort from 'onnxruntime-node'
import type { DType, Tensor } from '../tensor.ts'
import type { Graph } from './graph.ts'

/** How a session trades memory for speed. */
export type SessionOptions = {
  /**
   * True expands 16-bit weights to float32 once, when the session is created: faster, at twice the
   * memory. False leaves them mapped from their file and widens them in every run. Same results.
   */
  readonly expandsWeights: boolean
  /** Threads of one run, 1 or more; by default every processor. */
  readonly threads?: number
}

/** Tensors by the names of a graph's inputs or outputs. */
export type Feeds = Readonly<Record<string, Tensor<DType>>>

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
      'session.model_external_initializers_file_folder_path': root,
    }
    // Careful: constant folding would turn every 16-bit weight into a float32 copy in memory.
    if (!options.expandsWeights) {
      extra['optimization.disable_specified_optimizers'] = 'ConstantFolding'
    }
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads ?? availableParallelism(),
      // One arena a session would each keep its own peak; plain allocation is as fast here.
      enableCpuMemArena: false,
      logSeverityLevel: 3,
      extra,
    })
    return new Session(session)
  }

  /** Runs the graph once; blocks. Returns every output as a tensor that the caller owns. */
  async run(feeds: Feeds): Promise<Record<string, Tensor<DType>>> {
    const inputs: Record<string, ort.Tensor> = {}
    for (const [name, { dtype, shape, data }] of Object.entries(feeds)) {
      inputs[name] = new ort.Tensor(dtype as 'float32', data as Float32Array, shape)
    }
    const outputs = await this.#session.run(inputs)
    const results: Record<string, Tensor<DType>> = {}
    for (const [name, tensor] of Object.entries(outputs)) {
      results[name] = {
        dtype: tensor.type as DType,
        shape: [...tensor.dims],
        data: tensor.data as Float32Array,
      }
    }
    return results
  }

  /** Runs the graph for its single float32 output. */
  async compute(feeds: Feeds): Promise<Tensor> {
    const [output] = Object.values(await this.run(feeds))
    if (output?.dtype !== 'float32') throw new Error('internal: session: expected a float32 output')
    return output as Tensor
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    await this.#session.release()
  }
}

/** The root from which onnxruntime may look weights up; one drive only, on systems that have several. */
function commonRoot(files: ReadonlySet<string>): string {
  const roots = new Set([...files].map((file) => parse(file).root))
  const [root = parse(process.cwd()).root] = roots
  if (roots.size > 1 || [...files].some((file) => !isAbsolute(file))) {
    throw new Error(`internal: session: expected absolute paths on one drive, got ${[...files]}`)
  }
  return root
}
