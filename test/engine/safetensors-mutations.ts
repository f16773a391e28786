/**
 * Ways to make a safetensors file wrong, or odd but right, each by name. They write bytes by hand
 * and share no code with the reader under test.
 */
import type { SeededRandom } from './seeded-random.ts'

/** One tensor as a header says it; loose, because mutations put anything there. */
export type HeaderEntry = Record<string, unknown> & {
  dtype: string
  shape: number[]
  data_offsets: [number, number]
}

/** A file in parts: a list of entries can say a name twice or in any order. */
export type Parts = { readonly entries: [string, HeaderEntry][]; data: Buffer }

/** How the reader must answer; `field` is what a refusal must name. */
export type Mutation = {
  readonly expected: 'fails' | 'loads' | 'either'
  readonly field?: RegExp
  readonly mutate: (parts: Parts, random: SeededRandom) => Buffer
}

const widths: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2, I8: 1, U8: 1 }

/** A sound file of two to six tensors with elements; the first of one-byte type, to unalign the rest. */
export function soundParts(random: SeededRandom): Parts {
  const entries: [string, HeaderEntry][] = []
  let end = 0
  for (let i = 0; i < 2 + random.int(5); i++) {
    const dtype = i === 0 ? random.pick(['I8', 'U8']) : random.pick(Object.keys(widths))
    const shape = Array.from({ length: 1 + random.int(3) }, () => 1 + random.int(4))
    const begin = end
    end += product(shape) * widths[dtype]!
    entries.push([`layers.${i}.weight`, { dtype, shape, data_offsets: [begin, end] }])
  }
  return { entries, data: random.bytes(end) }
}

function product(shape: readonly number[]): number {
  return shape.reduce((elements, size) => elements * size, 1)
}

/** A file of this header text and data; `length` is what its first 8 bytes claim. */
export function encode(header: string | Buffer, data: Buffer, length?: bigint): Buffer {
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length ?? BigInt(Buffer.byteLength(header)))
  return Buffer.concat([prefix, Buffer.from(header), data])
}

/** The header of these entries, as text. */
export function headerText({ entries }: Parts, more = ''): string {
  const fields = entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`)
  return `{${more}${fields.join(',')}}`
}

/** A mutation of one tensor's entry. */
function ofEntry(
  field: RegExp,
  change: (entry: HeaderEntry, random: SeededRandom) => unknown,
): Mutation {
  const mutate: Mutation['mutate'] = (parts, random) => {
    const changed = random.pick(parts.entries)
    const fields = change(changed[1], random)
    Object.assign(changed[1], fields)
    return encode(headerText(parts), parts.data)
  }
  return { expected: 'fails', field, mutate }
}

/** A mutation of the header's text. */
function ofText(
  expected: Mutation['expected'],
  field: RegExp,
  change: (text: string, random: SeededRandom) => string | Buffer,
): Mutation {
  const mutate: Mutation['mutate'] = (parts, random) =>
    encode(change(headerText(parts), random), parts.data)
  return { expected, field, mutate }
}

/** An odd but right file. */
function sound(mutate: Mutation['mutate']): Mutation {
  return { expected: 'loads', mutate }
}

/** The file as it stood, changed as bytes. */
function ofFile(field: RegExp, change: (file: Buffer, random: SeededRandom) => Buffer): Mutation {
  const mutate: Mutation['mutate'] = (parts, random) =>
    change(encode(headerText(parts), parts.data), random)
  return { expected: 'fails', field, mutate }
}

const anyField = /./

/** All kinds by name. */
export const safetensorsMutations: Readonly<Record<string, Mutation>> = {
  'file cut inside its length': ofFile(/^size$/, (file, random) => file.subarray(0, random.int(8))),
  'file cut inside its header': ofFile(/^header length$/, (file, random) =>
    file.subarray(0, 8 + random.int(Number(file.readBigUInt64LE()))),
  ),
  'file cut inside its data': ofFile(/\.data_offsets$/, (file, random) => {
    const header = 8 + Number(file.readBigUInt64LE())
    return file.subarray(0, header + random.int(file.length - header))
  }),
  'bytes after the last tensor': ofFile(/^size$/, (file, random) =>
    Buffer.concat([file, random.bytes(1 + random.int(9))]),
  ),
  'header length of zero or one': {
    expected: 'fails',
    field: /^header length$/,
    mutate: (parts, random) => encode(headerText(parts), parts.data, BigInt(random.int(2))),
  },
  'header length beyond the file': {
    expected: 'fails',
    field: /^header length$/,
    mutate: (parts, random) => {
      const text = headerText(parts)
      const least = BigInt(text.length + parts.data.length + 1)
      const far = [least, 100_000_001n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]
      return encode(text, parts.data, random.pick(far))
    },
  },
  'header length that cuts the JSON': {
    expected: 'fails',
    field: /^header$/,
    mutate: (parts, random) => {
      const text = headerText(parts)
      return encode(text, parts.data, BigInt(2 + random.int(text.length - 2)))
    },
  },
  'header length that swallows data': {
    expected: 'fails',
    field: anyField,
    mutate: (parts, random) => {
      const text = headerText(parts)
      const swallowed = 1 + random.int(parts.data.length)
      return encode(text, parts.data, BigInt(text.length + swallowed))
    },
  },
  'header in other bytes than UTF-8': ofText('fails', /^header$/, (text, random) => {
    const bytes = Buffer.from(text)
    bytes[3 + random.int(5)] = random.pick([0xff, 0xc0, 0xf8, 0x80])
    return bytes
  }),
  'header that is not JSON': ofText('fails', /^header$/, (text, random) =>
    random.pick([
      text.replace(':', '='),
      text.replace('}', ''),
      text.replace('[', '[,'),
      text.replaceAll('"', "'"),
      `${text.slice(0, -1)},}`,
      `${text}]`,
      text.replace(/\[\d/, '[NaN'),
      text.replace(/\[\d/, '[01'),
    ]),
  ),
  'header that is no object': ofText('fails', /^header$/, (text, random) =>
    random.pick([`[${text}]`, JSON.stringify(text), 'null', '17', 'true', '[]']),
  ),
  'space before the header': ofText('fails', /^header$/, (text) => ` ${text}`),
  'header nested without end': ofText('fails', /^header$/, (text, random) =>
    text.replace('{', `{"x":${random.pick(['[', '{"y":'])}`.padEnd(5000, '[')),
  ),
  'tensor named twice': {
    expected: 'fails',
    field: /^layers\.\d\.weight$/,
    mutate: (parts, random) => {
      parts.entries.push(random.pick(parts.entries))
      return encode(headerText(parts), parts.data)
    },
  },
  'tensor named twice in other spellings': ofText('fails', /^layers\.0\.weight$/, (text) =>
    text.replace('{', String.raw`{"\u006cayers.0.weight":{},`),
  ),
  'field said twice': ofText('fails', /^(dtype|shape|data_offsets)$/, (text, random) => {
    const field = random.pick(['dtype', 'shape', 'data_offsets'])
    return text.replace(`"${field}":`, `"${field}":1,"${field}":`)
  }),
  'metadata of other things than strings': ofText('fails', /^__metadata__/, (text, random) => {
    const value = random.pick(['{"a":1}', '{"a":null}', '{"a":["b"]}', '[]', 'null', '"pt"'])
    return text.replace('{', `{"__metadata__":${value},`)
  }),
  'element type we do not read': ofEntry(/\.dtype$/, (_, random) => ({
    dtype: random.pick(['I64', 'I32', 'I16', 'U64', 'U16', 'F64', 'BOOL', 'F8_E4M3', 'F4', 'C64']),
  })),
  'element type of no format': ofEntry(/\.dtype$/, (_, random) => ({
    dtype: random.pick([
      'f32',
      '',
      'F32 ',
      'constructor',
      '__proto__',
      1,
      null,
      ['F32'],
      undefined,
    ]),
  })),
  'shape that is no list of sizes': ofEntry(/\.shape$/, ({ shape }, random) => ({
    shape: random.pick([
      [...shape, -1],
      [-shape[0]!, ...shape.slice(1)],
      [0.5, ...shape],
      [`${shape[0]}`, ...shape.slice(1)],
      [2 ** 53, ...shape],
      [shape],
      [null],
      { 0: 1, length: 1 },
      `${product(shape)}`,
      product(shape),
      null,
      undefined,
    ]),
  })),
  'shape of minus zero': {
    expected: 'fails',
    field: /\.shape$/,
    mutate: (parts) => {
      const end = parts.data.length
      parts.entries.push(['empty', { dtype: 'F32', shape: [77], data_offsets: [end, end] }])
      return encode(headerText(parts).replace('[77]', '[-0]'), parts.data)
    },
  },
  'shape of too many dimensions': ofEntry(/\.shape$/, ({ shape }, random) => ({
    shape: [...Array.from({ length: 9 + random.int(300) }, () => 1), ...shape],
  })),
  'shape whose product overflows': ofEntry(/\.data_offsets$/, (_, random) =>
    random.pick([
      { shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] },
      { shape: [2 ** 31, 2 ** 31, 4], data_offsets: [0, 0] },
      { shape: [2 ** 53 - 1, 2 ** 53 - 1] },
      { shape: Array.from({ length: 8 }, () => 2 ** 53 - 1) },
      { shape: [2 ** 26, 2 ** 27, 2 ** 27] },
    ]),
  ),
  'shape of another size': ofEntry(/\.data_offsets$/, ({ shape }, random) => ({
    shape: shape.with(0, shape[0]! + 1 + random.int(3)),
  })),
  'offsets that are no range': ofEntry(/\.data_offsets$/, ({ data_offsets: range }, random) => ({
    data_offsets: random.pick([
      range.toReversed(),
      [-1, range[1]],
      [range[0]],
      [...range, range[1]],
      range.map(String),
      [range[0], range[1] + 0.5],
      [range[0], 2 ** 64],
      range[1],
      null,
      undefined,
    ]),
  })),
  'offsets beyond the file': ofEntry(/\.data_offsets$/, ({ data_offsets: range }, random) => {
    const far = random.pick([1, 1000, 2 ** 32, 2 ** 52]) + 1000
    return { data_offsets: range.map((offset) => offset + far) }
  }),
  'tensors that share bytes': {
    expected: 'fails',
    field: /\.data_offsets$/,
    mutate: (parts, random) => {
      parts.entries.push(['alias', random.pick(parts.entries)[1]])
      return encode(headerText(parts), parts.data)
    },
  },
  'hole between tensors': {
    expected: 'fails',
    field: /\.data_offsets$/,
    mutate: (parts, random) => {
      const hole = 1 + random.int(16)
      for (const [, entry] of parts.entries.slice(random.int(parts.entries.length))) {
        entry.data_offsets = [entry.data_offsets[0] + hole, entry.data_offsets[1] + hole]
      }
      return encode(headerText(parts), Buffer.concat([parts.data, random.bytes(hole)]))
    },
  },
  'entry that is no object': {
    expected: 'fails',
    field: /^odd$/,
    mutate: (parts, random) => {
      const value = random.pick(['null', '[]', '"F32"', '4', 'true', '[[0,4]]'])
      return encode(headerText(parts, `"odd":${value},`), parts.data)
    },
  },
  'tensor without a proper name': {
    expected: 'fails',
    field: /^header$/,
    mutate: (parts, random) => {
      const name = random.pick(['""', String.raw`"\ud800"`, String.raw`"a\udfff"`])
      const entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
      return encode(headerText(parts, `${name}:${entry},`), parts.data)
    },
  },

  'tensors listed in another order': sound((parts, random) => {
    parts.entries.splice(0, Infinity, ...random.shuffle(parts.entries))
    return encode(headerText(parts), parts.data)
  }),
  'fields nobody knows': sound((parts, random) => {
    const value = random.pick([null, 1, 'x', [1, [2]], { shape: [9], dtype: 'F64' }])
    for (const [, entry] of parts.entries) Object.assign(entry, { note: value })
    return encode(headerText(parts), parts.data)
  }),
  'names that objects inherit': sound((parts, random) => {
    const inherited = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '0']
    const names = random.shuffle(inherited)
    for (const [i, entry] of parts.entries.entries()) entry[0] = names[i]!
    return encode(headerText(parts), parts.data)
  }),
  'names of any characters': sound((parts, random) => {
    const odd = ['../../etc/passwd', 'a\0b', '\u202Eabc', '😀', 'x'.repeat(5000), ' ', 'C:\\x']
    const names = random.shuffle(odd)
    for (const [i, entry] of parts.entries.entries()) entry[0] = names[i]!
    return encode(headerText(parts), parts.data)
  }),
  'names written in escapes': sound((parts) =>
    encode(headerText(parts).replaceAll('layers', String.raw`l\u0061y\u0065rs`), parts.data),
  ),
  'metadata of strings': sound((parts, random) => {
    const value = random.pick(['{}', '{"format":"pt"}', '{"__proto__":"a","constructor":"b"}'])
    return encode(headerText(parts, `"__metadata__":${value},`), parts.data)
  }),
  'header padded with spaces': sound((parts, random) => {
    const text = headerText(parts)
    return encode(text.padEnd(text.length + random.int(64)), parts.data)
  }),
  'header with space inside': sound((parts) =>
    encode(headerText(parts).replaceAll(/([:,[])/g, '$1 \n\t'), parts.data),
  ),
  'tensors without elements': sound((parts, random) => {
    const [begin] = random.pick(parts.entries)[1].data_offsets
    const shape = random.pick([[0], [3, 0], [0, 2 ** 52, 2 ** 52]])
    parts.entries.push(['empty', { dtype: 'F32', shape, data_offsets: [begin, begin] }])
    return encode(headerText(parts), parts.data)
  }),
  'a number of no dimensions': sound((parts, random) => {
    const end = parts.data.length
    parts.entries.push(['scalar', { dtype: 'F32', shape: [], data_offsets: [end, end + 4] }])
    return encode(headerText(parts), Buffer.concat([parts.data, random.bytes(4)]))
  }),
  'no tensors at all': sound((parts, random) => {
    const text = random.pick(['{}', '{"__metadata__":{}}', '{ }'])
    return encode(text, parts.data.subarray(0, 0))
  }),
  'other bits in the data': sound((parts, random) => {
    for (const [i] of parts.data.entries()) parts.data[i] = random.pick([0, 0x7f, 0x80, 0xff])
    return encode(headerText(parts), parts.data)
  }),
  'element type of the same width': sound((parts) => {
    const twins: Readonly<Record<string, string>> = { F16: 'BF16', BF16: 'F16', I8: 'U8', U8: 'I8' }
    for (const [, entry] of parts.entries) entry.dtype = twins[entry.dtype] ?? entry.dtype
    return encode(headerText(parts), parts.data)
  }),
  'shape of the same size': sound((parts, random) => {
    const [, entry] = random.pick(parts.entries)
    entry.shape = random.pick([
      entry.shape.toReversed(),
      [product(entry.shape)],
      [1, ...entry.shape],
    ])
    return encode(headerText(parts), parts.data)
  }),

  'bit flipped in the header': ofText('either', anyField, (text, random) => {
    const bytes = Buffer.from(text)
    const at = random.int(bytes.length)
    bytes[at] = bytes[at]! ^ (1 << random.int(8))
    return bytes
  }),
  'byte replaced in the header': ofText('either', anyField, (text, random) => {
    const bytes = Buffer.from(text)
    bytes[random.int(bytes.length)] = random.pick([...Buffer.from('{}[],:"0159-.eE \\'), 0, 255])
    return bytes
  }),
  'digit replaced in the header': ofText('either', anyField, (text, random) => {
    const digits = [...text.matchAll(/\d/g)].map((match) => match.index)
    const at = random.pick(digits)
    return `${text.slice(0, at)}${random.int(10)}${text.slice(at + 1)}`
  }),
  'piece taken out of the header': ofText('either', anyField, (text, random) => {
    const at = random.int(text.length)
    return text.slice(0, at) + text.slice(at + 1 + random.int(20))
  }),
  'piece of the header said twice': ofText('either', anyField, (text, random) => {
    const at = random.int(text.length)
    const piece = text.slice(at, at + 1 + random.int(60))
    return text.slice(0, at) + piece + text.slice(at)
  }),
}
