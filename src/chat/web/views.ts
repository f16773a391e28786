/**
 * What a message is in its row and on the page. Rows keep pictures by the keys of their blobs; the
 * page gets addresses. A file is in neither: whoever asked for it gets an address that nobody can
 * guess, for a while.
 */
import { z } from 'zod'
import type { WebMessage } from '../../store/web-messages.ts'
import type { Words } from '../i18n.ts'
import type { Item, Message, ShownPicture } from '../message.ts'
import type { DemoGuild } from './place.ts'

/** A message in its row. */
export type Content = Omit<Message, 'file'> & {
  readonly file?: { readonly fileName: string; readonly id: string }
}

/** A picture as the page shows it. */
export type PictureView = Omit<ShownPicture, 'key'> & {
  readonly url: string
  /** Which one of its message, from 1. */
  readonly number: number
}

/** A message as the page shows it. */
export type MessageView = Omit<Content, 'previewId' | 'pictures' | 'items' | 'file'> & {
  readonly previewUrl?: string
  readonly pictures?: readonly PictureView[]
  readonly items?: readonly (Omit<Item, 'picture'> & { readonly picture?: PictureView })[]
  readonly file?: { readonly fileName: string; readonly url: string }
}

/** A row as the page shows it. */
export type View = {
  readonly id: string
  /** What the page that sent it called it. */
  readonly nonce: string | null
  readonly from:
    | { readonly kind: 'bot' }
    | { readonly kind: 'member'; readonly id: string; readonly name: string }
  readonly isPrivate: boolean
  readonly createdAtMs: number
  readonly editedAtMs: number | null
  readonly replyToId: string | null
  /** The job that it shows. */
  readonly job: string | null
  readonly message: MessageView
  readonly isDeleted: boolean
}

const empty: Content = { text: '' }

// What we wrote ourselves, in a shape that the type checker kept; nothing is left of a deleted one.
const storedContent = z.custom<Content>(
  (json) => typeof json === 'object' && json !== null && 'text' in json,
)

/**
 * What a message may exist only once for. Careful: the parts keep members from taking a job's name,
 * or one another's, for what they send.
 */
export const nonces = {
  said: (member: string, nonce: string): string => `said/${member}/${nonce}`,
  answer: (member: string, nonce: string, k: number): string => `answer/${member}/${nonce}/${k}`,
  job: (job: string): string => `job/${job}`,
}

/** What a row says. */
export function contentOf({ content }: Pick<WebMessage, 'content'>): Content {
  return storedContent.safeParse(content).data ?? empty
}

/** The job that a message shows. */
export function jobOf({ nonce, author }: Pick<WebMessage, 'nonce' | 'author'>): string | undefined {
  return author === undefined ? /^job\/(.+)$/.exec(nonce ?? '')?.[1] : undefined
}

/** A row, in the words of whoever looks. */
export function viewOf(message: WebMessage, guild: DemoGuild, say: Words): View {
  const { author, nonce } = message
  const name = guild.members.find(({ id }) => id === author)?.name
  return {
    id: message.id,
    nonce: author === undefined ? null : (/[^/]*$/.exec(nonce ?? '')?.[0] ?? null) || null,
    from:
      author === undefined
        ? { kind: 'bot' }
        : { kind: 'member', id: author, name: name === undefined ? author : say(name) },
    isPrivate: message.visibleTo !== undefined,
    createdAtMs: message.createdAtMs,
    editedAtMs: message.editedAtMs ?? null,
    replyToId: message.replyToId ?? null,
    job: jobOf(message) ?? null,
    message: messageView(contentOf(message)),
    isDeleted: message.isDeleted,
  }
}

function messageView({ pictures, previewId, items, file, ...rest }: Content): MessageView {
  return {
    ...rest,
    ...(previewId !== undefined && {
      previewUrl: `/previews/${previewId}?step=${rest.progress?.done ?? 0}`,
    }),
    ...(pictures && { pictures: pictures.map((picture, k) => pictureView(picture, k + 1)) }),
    ...(items && { items: items.map(itemView) }),
    ...(file && { file: { fileName: file.fileName, url: `/files/${file.id}` } }),
  }
}

function itemView(
  { picture, ...rest }: Item,
  k: number,
): Omit<Item, 'picture'> & { readonly picture?: PictureView } {
  return { ...rest, ...(picture && { picture: pictureView(picture, k + 1) }) }
}

function pictureView({ key, ...rest }: ShownPicture, number: number): PictureView {
  return { ...rest, url: `/pictures/${key}`, number }
}
