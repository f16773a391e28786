/**
 * Tags of the fair queue as rows, written behind by the leader and read by its successor. A row
 * is one flow, named by the path that leads to it: `open`, `open/fast`, `open/fast/GUILD`,
 * `open/fast/GUILD/MEMBER`. One written together is read together: the whole tree, or none of it.
 */
import type { FlowTags, ServerTags } from '../core/fair-server.ts'
import { type Database, inTransaction, type Transaction } from './prisma.ts'

/** The tags of both roots of the fair queue. */
export type SavedTags = { readonly open: ServerTags; readonly strict: ServerTags }

/** Whole numbers, all of them safe: JSON keeps them exact. */
type Row = {
  readonly path: string
  readonly start: number
  readonly floor: number
  readonly sequence: number
  readonly virtualTime?: number
  readonly rebased?: number
  readonly serverSequence?: number
}

const roots = ['open', 'strict'] as const
const rowsAtOnce = 1_000

/**
 * Keeps these tags in place of all that were kept before. With `before`, the tags that were kept
 * last, only what has changed since is written.
 */
export async function saveTags(
  database: Database,
  tags: SavedTags,
  before?: SavedTags,
): Promise<void> {
  const changed = roots.flatMap((root) => [
    ...changedRows(root, rootFlow(tags[root]), before && rootFlow(before[root])),
  ])
  const gone = roots.flatMap((root) =>
    before ? [...gonePaths(root, rootFlow(tags[root]), rootFlow(before[root]))] : [],
  )
  if (before !== undefined && changed.length + gone.length === 0) return
  await inTransaction(database, async (transaction) => {
    if (before === undefined) await transaction.flow.deleteMany()
    for (const paths of inParts(gone))
      await transaction.flow.deleteMany({ where: { path: { in: paths } } })
    for (const rows of inParts(changed)) await keep(transaction, rows)
  })
}

/** Careful: Prisma's own `createMany` takes half a second of this process for some thousand rows. */
async function keep(transaction: Transaction, rows: readonly Row[]): Promise<void> {
  await transaction.$executeRaw`
    INSERT INTO flows
      (path, start, floor, sequence, virtual_time, rebased, server_sequence, updated_at)
    SELECT path, start, floor, sequence, "virtualTime", rebased, "serverSequence", now()
    FROM json_to_recordset(${JSON.stringify(rows)}::json) AS row (
      path text, start bigint, floor bigint, sequence bigint,
      "virtualTime" bigint, rebased bigint, "serverSequence" bigint
    )
    ON CONFLICT (path) DO UPDATE SET
      start = excluded.start, floor = excluded.floor, sequence = excluded.sequence,
      virtual_time = excluded.virtual_time, rebased = excluded.rebased,
      server_sequence = excluded.server_sequence, updated_at = excluded.updated_at`
}

function* inParts<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let first = 0; first < items.length; first += rowsAtOnce) {
    yield items.slice(first, first + rowsAtOnce)
  }
}

/** The tags that were kept last; none when there never were any. */
export async function loadTags(database: Database): Promise<SavedTags | undefined> {
  const rows = await database.flow.findMany({ orderBy: { path: 'asc' } })
  const byPath = new Map(rows.map((row) => [row.path, row]))
  const children = Map.groupBy(rows, ({ path }) => parentOf(path))
  const serverAt = (path: string): ServerTags | undefined => {
    const row = byPath.get(path)
    if (row === undefined || row.virtualTime === null) return undefined
    return {
      virtualTime: Number(row.virtualTime),
      rebased: Number(row.rebased),
      sequence: Number(row.serverSequence),
      flows: (children.get(path) ?? []).map((child): FlowTags => {
        const flows = serverAt(child.path)
        return {
          id: idOf(child.path),
          start: Number(child.start),
          floor: Number(child.floor),
          sequence: Number(child.sequence),
          ...(flows && { flows }),
        }
      }),
    }
  }
  const [open, strict] = [serverAt('open'), serverAt('strict')]
  return open && strict && { open, strict }
}

/** A root, as if it were a flow. */
function rootFlow(flows: ServerTags): FlowTags {
  return { id: '', start: 0, floor: 0, sequence: 0, flows }
}

/** Rows of the flows that are not as they were, a flow and all that is in it. */
function* changedRows(path: string, now: FlowTags, before: FlowTags | undefined): Generator<Row> {
  if (before === undefined || !isSame(now, before)) yield rowOf(path, now)
  const known = new Map(before?.flows?.flows.map((flow) => [flow.id, flow]))
  for (const flow of now.flows?.flows ?? []) {
    yield* changedRows(pathOf(path, flow), flow, known.get(flow.id))
  }
}

/** Paths of the flows that are no more. */
function* gonePaths(path: string, now: FlowTags | undefined, before: FlowTags): Generator<string> {
  if (now === undefined) yield path
  const left = new Map(now?.flows?.flows.map((flow) => [flow.id, flow]))
  for (const flow of before.flows?.flows ?? []) {
    yield* gonePaths(pathOf(path, flow), left.get(flow.id), flow)
  }
}

function isSame(one: FlowTags, other: FlowTags): boolean {
  return (
    one.start === other.start &&
    one.floor === other.floor &&
    one.sequence === other.sequence &&
    one.flows?.virtualTime === other.flows?.virtualTime &&
    one.flows?.rebased === other.flows?.rebased &&
    one.flows?.sequence === other.flows?.sequence
  )
}

function rowOf(path: string, { start, floor, sequence, flows }: FlowTags): Row {
  return {
    path,
    start,
    floor,
    sequence,
    ...(flows && {
      virtualTime: flows.virtualTime,
      rebased: flows.rebased,
      serverSequence: flows.sequence,
    }),
  }
}

function pathOf(parent: string, { id }: FlowTags): string {
  return `${parent}/${encodeURIComponent(id)}`
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function idOf(path: string): string {
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
}
