/**
 * One network's checkpoint folder: its tensors, in one safetensors file or in shards with an index,
 * and its JSON. A sharded checkpoint must say the same thing twice: the index lists exactly the
 * tensors that the shards hold, each in the shard that holds it. Anything else is a half-finished
 * download or a mix of two revisions.
 */
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { EngineError } from './error.ts'
import { type TensorEntry, readSafetensors, readTensor } from './safetensors.ts'
import { type Tensor, elementCount } from './tensor.ts'
import { invalidFile, quote, readJson } from './untrusted-file.ts'

/** The released indices take 50 kB, the released configs under 2 kB. */
const maxIndexBytes = 16 * 2 ** 20
const maxConfigBytes = 2 ** 20

/** Careful: this is what keeps a shard inside its folder. No separators, no drive letters. */
const shardName = /^[\w.-]{1,200}\.safetensors$/

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(shardName)) })

/** The tensors of one network, found by their checkpoint names; no tensor data is held. */
export class Checkpoint {
  /** The index, or the only safetensors file: what errors about missing tensors name. */
  readonly file: string
  /** Bytes of all tensors together. */
  readonly sizeBytes: number
  /** Elements of all tensors together. */
  readonly parameters: number
  readonly #tensors: ReadonlyMap<string, TensorEntry>
  readonly #used = new Set<string>()

  private constructor(file: string, tensors: ReadonlyMap<string, TensorEntry>) {
    this.file = file
    this.#tensors = tensors
    const entries = [...tensors.values()]
    this.sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0)
    this.parameters = entries.reduce((sum, { shape }) => sum + elementCount(shape), 0)
  }

  /**
   * Reads the headers of `<baseName>.safetensors.index.json` and its shards if that index exists,
   * else of `<baseName>.safetensors`. Links may lead out of the folder, as the Hub's cache does.
   * @throws {EngineError} file-missing, file-invalid
   */
  static async open(folder: string, baseName: string): Promise<Checkpoint> {
    const single = resolve(folder, `${baseName}.safetensors`)
    const index = `${single}.index.json`
    const weightMap = await readWeightMap(index)
    if (weightMap) return new Checkpoint(index, await readShards(folder, index, weightMap))
    const { tensors } = await readSafetensors(single)
    return new Checkpoint(single, tensors)
  }

  /** Whether a tensor of this name exists; asking does not count as using it. */
  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  /** All tensor names, in file order within each shard. */
  names(): string[] {
    return [...this.#tensors.keys()]
  }

  /**
   * Where the tensor lies; marks it as used.
   * @throws {EngineError} tensor-missing, or tensor-mismatch if its shape is not `shape`
   */
  entry(name: string, shape: readonly number[]): TensorEntry {
    const entry = this.#tensors.get(name)
    if (!entry) throw new EngineError('tensor-missing', { file: this.file, tensor: name })
    const [expected, got] = [`[${shape.join(', ')}]`, `[${entry.shape.join(', ')}]`]
    if (expected !== got) {
      throw new EngineError('tensor-mismatch', { file: entry.file, tensor: name, expected, got })
    }
    this.#used.add(name)
    return entry
  }

  /**
   * The tensor in memory, widened to float32; marks it as used.
   * @throws {EngineError} as `entry`, and file-invalid if the file shrank meanwhile
   */
  async read(name: string, shape: readonly number[]): Promise<Tensor> {
    return readTensor(this.entry(name, shape))
  }

  /** Tensors that nobody asked for: a network that has taken its own can tell what is left over. */
  unused(): string[] {
    return this.names().filter((name) => !this.#used.has(name))
  }
}

/** Tensor name to shard file name, or undefined if there is no index. */
async function readWeightMap(index: string): Promise<ReadonlyMap<string, string> | undefined> {
  const found = await readConfigIfAny(index, indexSchema, maxIndexBytes)
  return found && new Map(Object.entries(found.weight_map))
}

async function readShards(
  folder: string,
  index: string,
  weightMap: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, TensorEntry>> {
  const tensors = new Map<string, TensorEntry>()
  for (const shard of new Set(weightMap.values())) {
    const { tensors: held } = await readSafetensors(resolve(folder, shard))
    for (const [name, entry] of held) {
      // A tensor in two shards fails here too: the map can name only one of them.
      if (weightMap.get(name) !== shard) {
        const got = quote(weightMap.get(name))
        throw invalidFile(index, `weight_map.${name}`, `${shard}, which holds it`, got)
      }
      tensors.set(name, entry)
    }
  }
  for (const [name, shard] of weightMap) {
    if (!tensors.has(name)) {
      throw invalidFile(join(folder, shard), name, 'a tensor, as the index says', 'nothing')
    }
  }
  return tensors
}

/**
 * Reads a JSON config of at most 1 MiB. Keys that the schema does not name are ignored, as diffusers
 * ignores what begins with `_`.
 * @throws {EngineError} file-missing, or file-invalid naming the field as in `axes_dims[1]`
 */
export async function readConfig<S extends z.ZodType>(
  file: string,
  schema: S,
  maxBytes = maxConfigBytes,
): Promise<z.output<S>> {
  const value = await readJson(file, maxBytes)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const got = quote(valueAt(value, issue.path))
  throw invalidFile(file, fieldName(issue.path), expectation(issue), got)
}

/** As `readConfig`, or undefined if there is no such file. */
export async function readConfigIfAny<S extends z.ZodType>(
  file: string,
  schema: S,
  maxBytes = maxConfigBytes,
): Promise<z.output<S> | undefined> {
  try {
    return await readConfig(file, schema, maxBytes)
  } catch (error) {
    if (error instanceof EngineError && error.code === 'file-missing') return undefined
    throw error
  }
}

/** `['preview', 'weight', 3]` as `preview.weight[3]`. */
function fieldName(path: readonly PropertyKey[]): string {
  const steps = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  return steps.join('').replace(/^\./, '') || 'JSON'
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inside, key) => Object(inside)[key], value)
}

/** What the schema wanted; our own refinements word their message to fit here. */
function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `type ${issue.expected}`
    case 'invalid_value':
      return issue.values.map(quote).join(' or ')
    case 'too_small':
      return `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}${itemsOf(issue)}`
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}${itemsOf(issue)}`
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_format':
      return issue.pattern ? `text like ${issue.pattern}` : issue.format
    default:
      return issue.message
  }
}

function itemsOf(issue: { readonly origin: string }): string {
  return issue.origin === 'array' ? ' items' : ''
}
