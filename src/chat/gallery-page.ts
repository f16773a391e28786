/** Pages of pictures, each with what can be done about it. */
import type { GalleryPicture, Page } from '../store/gallery.ts'
import { type ActionVerb, printAction } from './action.ts'
import type { Words } from './i18n.ts'
import { factsOf, pictureOf, titleOf } from './job-words.ts'
import type { Button, Item, Message } from './message.ts'

/** How many pictures are on a page. */
export const pageSize = 5

/** A page; `turn` is the button that turns it, `empty` what there is to say of an empty list. */
export function galleryPage(
  say: Words,
  { entries, page, pages, total }: Page<GalleryPicture>,
  { turn, empty }: { readonly turn: 'gallery-page' | 'kept-page'; readonly empty: string },
): Message {
  if (total === 0) return { text: empty }
  const turned = (label: string, to: number): Button[] =>
    to >= 1 && to <= pages ? [{ label, action: printAction(turn, to), style: 'plain' }] : []
  const turns = [
    ...turned(say('button.previous'), page - 1),
    ...turned(say('button.next'), page + 1),
  ]
  return {
    text: say('gallery.page', { count: total, page, pages }),
    items: entries.map((entry) => itemOf(say, entry)),
    ...(turns.length > 0 && { buttons: [turns] }),
  }
}

/** What can be done about a picture of a job. */
export function pictureButtons(
  say: Words,
  { job, picture, isKept }: Pick<GalleryPicture, 'job' | 'picture' | 'isKept'>,
): Button[] {
  const button = (label: string, verb: ActionVerb, style: Button['style'] = 'plain'): Button => ({
    label,
    action: printAction(verb, job, picture),
    style,
  })
  return [
    button(say('button.again'), 'again', 'primary'),
    button(say('button.edit', { picture: 0 }), 'edit'),
    isKept
      ? button(say('button.drop'), 'drop')
      : button(say('button.keep', { picture: 0 }), 'keep'),
    button(say('button.info'), 'info'),
    button(say('button.delete'), 'delete', 'danger'),
  ]
}

function itemOf(say: Words, entry: GalleryPicture): Item {
  const { spec, picture, job } = entry
  return {
    title: titleOf(spec),
    text: say('gallery.item', { job, picture, facts: factsOf(say, spec, picture) }),
    picture: pictureOf(say, entry),
    buttons: pictureButtons(say, entry),
  }
}
