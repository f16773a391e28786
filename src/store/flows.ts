/**
 * Tags of the fair queue as rows, written behind by the leader and read by its successor. A row
 * is one flow, named by the path that leads to it: `open`, `open/fast`, `open/fast/GUILD`,
 * `open/fast/GUILD/MEMBER`. One written together is read together: the whole tree, or none of it.
 */
import type { FlowTags, ServerTags } from '../core/fair-server.ts'
import type { Prisma } from './generated/client.ts'
import { type Database, inTransaction } from './prisma.ts'

/** The tags of both roots of the fair queue. */
export type SavedTags = { readonly open: ServerTags; readonly strict: ServerTags }

type Row = Prisma.FlowCreateManyInput

const roots = ['open', 'strict'] as const
/** Postgres takes at most 65,535 parameters in a statement. */
const rowsAtOnce = 5_000

/** Keeps these tags in place of all that were kept before. */
export async function saveTags(database: Database, tags: SavedTags): Promise<void> {
  const rows = roots.flatMap((root) =>
    rowsOf(root, tags[root], { start: 0, floor: 0, sequence: 0 }),
  )
  await inTransaction(database, async (transaction) => {
    await transaction.flow.deleteMany()
    for (let first = 0; first < rows.length; first += rowsAtOnce) {
      await transaction.flow.createMany({ data: rows.slice(first, first + rowsAtOnce) })
    }
  })
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

function rowsOf(
  path: string,
  server: ServerTags | undefined,
  { start, floor, sequence }: Omit<FlowTags, 'id' | 'flows'>,
): Row[] {
  const own: Row = {
    path,
    start: BigInt(start),
    floor: BigInt(floor),
    sequence: BigInt(sequence),
    ...(server && {
      virtualTime: BigInt(server.virtualTime),
      rebased: BigInt(server.rebased),
      serverSequence: BigInt(server.sequence),
    }),
  }
  const inner = (server?.flows ?? []).flatMap((flow) =>
    rowsOf(`${path}/${encodeURIComponent(flow.id)}`, flow.flows, flow),
  )
  return [own, ...inner]
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function idOf(path: string): string {
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
}
