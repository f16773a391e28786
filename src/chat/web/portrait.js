/** Portraits: the bot's seal, and a member's initial on a colour of their own. */
import { make } from './make.js'

const hues = 6

/** A portrait, for those who see: the name stands beside it. */
export function portraitOf({ id, name }) {
  if (id === undefined) {
    return make('img', { className: 'portrait', src: '/icon.svg', alt: '', width: 36, height: 36 })
  }
  const [initial] = new Intl.Segmenter().segment(name.trim() || '?')
  const portrait = make('span', { className: 'portrait', ariaHidden: 'true' })
  portrait.textContent = initial.segment.toUpperCase()
  portrait.dataset.hue = [...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % hues
  return portrait
}
