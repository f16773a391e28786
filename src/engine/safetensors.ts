/**
 * The safetensors format: 8 bytes of header length, a JSON header, the tensors' bytes, little-endian.
 * Reading is lazy (header only) and trusts nothing: after it, every entry is known to lie inside
 * the file, and the entries cover the file's data exactly, without holes or overlaps.
 * Source: the format's own page, huggingface/safetensors README, "Format", and its `validate`.
 */
import { open, realpath } from 'node:fs/promises'
import {
  type Tensor,
  type TensorData,
  bfloat16ToFloat32,
  bytesPerElement,
  elementCount,
  float16ToFloat32,
  float32,
} from './tensor.ts'
import { fileSize, invalidFile, parseJson, quote, readRange } from './untrusted-file.ts'

/** Element types that a checkpoint may store. */
export type StoredDType = 'float32' | 'float16' | 'bfloat16' | 'int8' | 'uint8'

/** Where one tensor lies; nothing of its data is in memory. */
export type TensorEntry = {
  readonly name: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  /** Absolute, with links resolved: onnxruntime maps the bytes from here. */
  readonly file: string
  /** From the start of the file, not of its data. */
  readonly offset: number
  readonly sizeBytes: number
}

/** What a file's header says; maps, because a file may call a tensor `__proto__`. */
export type SafetensorsHeader = {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, string>
}

/** One tensor for `writeSafetensors`, which asks for `data` once, when its turn comes. */
export type TensorToWrite = {
  readonly name: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  readonly data: () => TensorData[StoredDType]
}

const lengthBytes = 8
/** The reference's own ceiling. */
const maxHeaderBytes = 100_000_000
const maxDimensions = 8

const dtypesByName = new Map<string, StoredDType>([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I8', 'int8'],
  ['U8', 'uint8'],
])
const namesByDType = new Map([...dtypesByName].map(([name, dtype]) => [dtype, name]))

/** Widens a tensor's bytes; exact for every stored type. */
const widen: Readonly<Record<StoredDType, (bytes: ArrayBuffer) => Float32Array>> = {
  float32: (bytes) => new Float32Array(bytes),
  float16: (bytes) => float16ToFloat32(new Uint16Array(bytes)),
  bfloat16: (bytes) => bfloat16ToFloat32(new Uint16Array(bytes)),
  int8: (bytes) => Float32Array.from(new Int8Array(bytes)),
  uint8: (bytes) => Float32Array.from(new Uint8Array(bytes)),
}

/**
 * Reads and checks the header of a safetensors file.
 * @throws {EngineError} file-missing, or file-invalid naming the tensor and field at fault
 */
export async function readSafetensors(file: string): Promise<SafetensorsHeader> {
  const sizeBytes = await fileSize(file)
  if (sizeBytes < lengthBytes) {
    throw invalidFile(file, 'size', `at least ${lengthBytes} bytes`, `${sizeBytes} bytes`)
  }
  const length = await readRange(file, 0, lengthBytes)
  // Above 2 ** 53 the number is rounded, which is still far over every limit.
  const headerBytes = Number(new DataView(length.buffer).getBigUint64(0, true))
  const maxBytes = Math.min(maxHeaderBytes, sizeBytes - lengthBytes)
  if (headerBytes < 2 || headerBytes > maxBytes) {
    throw invalidFile(file, 'header length', `2 to ${maxBytes} bytes`, `${headerBytes} bytes`)
  }

  const bytes = await readRange(file, lengthBytes, headerBytes)
  const header = parseJson(file, 'header', bytes)
  if (!isObject(header) || bytes[0] !== 0x7b) {
    throw invalidFile(file, 'header', 'an object, without space before it', quote(header))
  }

  const source = { file, realFile: await realpath(file), dataOffset: lengthBytes + headerBytes }
  const entries: TensorEntry[] = []
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(file, value)
    else entries.push(parseEntry(source, name, value))
  }
  checkCoverage(file, entries, source.dataOffset, sizeBytes)
  return { tensors: new Map(entries.map((entry) => [entry.name, entry])), metadata }
}

/** The file as people name it, the file links lead to, and where its tensors' bytes begin. */
type Source = { readonly file: string; readonly realFile: string; readonly dataOffset: number }

function parseMetadata(file: string, value: unknown): ReadonlyMap<string, string> {
  if (!isObject(value)) {
    throw invalidFile(file, '__metadata__', 'an object of strings', quote(value))
  }
  const metadata = new Map<string, string>()
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw invalidFile(file, `__metadata__.${key}`, 'a string', quote(text))
    }
    metadata.set(key, text)
  }
  return metadata
}

/** Fields that the format does not know are left alone, as the reference leaves them. */
function parseEntry(source: Source, name: string, value: unknown): TensorEntry {
  const { file, realFile, dataOffset } = source
  if (name === '' || !name.isWellFormed()) {
    throw invalidFile(file, 'header', 'tensor names in Unicode, not empty', quote(name))
  }
  if (!isObject(value)) throw invalidFile(file, name, 'an object', quote(value))

  const dtype = typeof value.dtype === 'string' ? dtypesByName.get(value.dtype) : undefined
  if (dtype === undefined) {
    const supported = `one of ${[...dtypesByName.keys()].join(', ')}`
    throw invalidFile(file, `${name}.dtype`, supported, quote(value.dtype))
  }
  const { shape, data_offsets: range } = value
  if (!isSizes(shape) || shape.length > maxDimensions) {
    throw invalidFile(file, `${name}.shape`, `at most ${maxDimensions} sizes`, quote(shape))
  }
  if (!isSizes(range) || range.length !== 2) {
    throw invalidFile(file, `${name}.data_offsets`, 'two sizes, begin and end', quote(range))
  }
  const sizeBytes = range[1]! - range[0]!
  // A product beyond 2 ** 53 is rounded, but no rounded one is as small as a range inside a file.
  const expectedBytes = elementCount(shape) * bytesPerElement[dtype]
  if (sizeBytes !== expectedBytes) {
    const expected = `${expectedBytes} bytes for ${dtype} [${shape.join(', ')}]`
    throw invalidFile(file, `${name}.data_offsets`, expected, `${sizeBytes} bytes`)
  }
  return { name, dtype, shape, file: realFile, offset: dataOffset + range[0]!, sizeBytes }
}

/** Every data byte belongs to exactly one tensor: nothing is hidden, shared or outside. */
function checkCoverage(
  file: string,
  entries: readonly TensorEntry[],
  dataOffset: number,
  fileBytes: number,
): void {
  let end = dataOffset
  const inFileOrder = entries.toSorted((a, b) => a.offset - b.offset || a.sizeBytes - b.sizeBytes)
  for (const { name, offset, sizeBytes } of inFileOrder) {
    if (offset !== end) {
      const expected = `to begin at ${end - dataOffset}, where its neighbour ends`
      throw invalidFile(file, `${name}.data_offsets`, expected, `${offset - dataOffset}`)
    }
    end = offset + sizeBytes
    if (end > fileBytes) {
      const expected = `to end within ${fileBytes - dataOffset} bytes of data`
      throw invalidFile(file, `${name}.data_offsets`, expected, `${end - dataOffset}`)
    }
  }
  if (end !== fileBytes) throw invalidFile(file, 'size', `${end} bytes`, `${fileBytes} bytes`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(isSize)
}

/** Careful: JSON has a minus zero, which is equal to zero until it is not. */
function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && !Object.is(value, -0)
}

/**
 * One tensor's values widened to float32, of the entry's shape.
 * @throws {EngineError} file-invalid if the file shrank since its header was read
 */
export async function readTensor(entry: TensorEntry): Promise<Tensor> {
  const { buffer } = await readRange(entry.file, entry.offset, entry.sizeBytes)
  return float32(entry.shape, widen[entry.dtype](buffer))
}

/**
 * Writes tensors in the order given, back to back, holding one of them at a time. The header is
 * padded with spaces to a multiple of 8 bytes, as the reference pads it.
 */
export async function writeSafetensors(
  file: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const queue = [...tensors]
  const fields = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) fields.set('__metadata__', metadata)
  let end = 0
  for (const { name, dtype, shape } of queue) {
    if (fields.has(name)) throw new Error(`internal: two tensors named ${name}`)
    const begin = end
    end += elementCount(shape) * bytesPerElement[dtype]
    fields.set(name, { dtype: namesByDType.get(dtype), shape, data_offsets: [begin, end] })
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(fields)))
  const header = Buffer.alloc(lengthBytes + Math.ceil(json.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - lengthBytes))
  json.copy(header, lengthBytes)

  await using handle = await open(file, 'w')
  await handle.writeFile(header)
  for (const { name, dtype, shape, data } of queue) {
    const values = data()
    if (values.byteLength !== elementCount(shape) * bytesPerElement[dtype]) {
      throw new Error(
        `internal: ${name} ${dtype} [${shape.join(', ')}] got ${values.length} values`,
      )
    }
    await handle.writeFile(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
}
