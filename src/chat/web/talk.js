/**
 * The conversation: messages as they come, edited in place, oldest first. Whoever reads on above is
 * left there, whoever is at the end stays there. Those who listen are told what is new and final, not
 * each step of it.
 */
import { make } from './make.js'
import { newMessage, showMessage } from './message.js'

/** From here on one is at the end. */
const nearPixels = 60

/** Shows messages in `page.talk`; `acts` are `press(action, view)` and `answer(view, picture)`. */
export class Talk {
  #page
  #acts
  /** By id, what is shown and where. */
  #shown = new Map()
  #isAtEnd = true

  constructor(page, acts) {
    this.#page = page
    this.#acts = acts
    const { scroll, talk, newest } = page
    scroll.addEventListener('scroll', () => {
      this.#isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < nearPixels
      if (this.#isAtEnd) newest.hidden = true
    })
    newest.addEventListener('click', () => {
      this.toEnd()
      page.box.focus()
    })
    const follow = new ResizeObserver(() => {
      if (this.#isAtEnd) this.toEnd()
    })
    follow.observe(talk)
    follow.observe(scroll)
  }

  /** The oldest message that is shown. */
  get oldestId() {
    return this.#page.talk.firstElementChild?.dataset.id
  }

  get isEmpty() {
    return this.#shown.size === 0
  }

  /** Forgets everything. */
  clear() {
    this.#shown.clear()
    this.#page.talk.replaceChildren()
    this.#isAtEnd = true
    this.#page.newest.hidden = true
  }

  /** Shows a page of messages among those that are shown, as if they had been there all along. */
  fill(views) {
    const { scroll } = this.#page
    const fromEnd = scroll.scrollHeight - scroll.scrollTop
    for (const view of views) this.#put(view)
    if (!this.#isAtEnd) scroll.scrollTop = scroll.scrollHeight - fromEnd
  }

  /** Whether one of these is shown. */
  has(views) {
    return views.some(({ id }) => this.#shown.has(id))
  }

  /** Shows a message that somebody has just written or changed. */
  hear(view) {
    const before = this.#shown.get(view.id)?.view
    this.#put(view)
    if (!isNews(view, before)) return
    if (!this.#isAtEnd) this.#page.newest.hidden = false
    if (view.from.kind === 'bot') this.#page.spoken.replaceChildren(spokenOf(view))
  }

  /** Shows everything in the words of another language. */
  translate() {
    for (const { view, item } of this.#shown.values()) this.#show(item, view)
  }

  /** Shows the newest message. */
  toEnd() {
    const { scroll, newest } = this.#page
    scroll.scrollTop = scroll.scrollHeight
    this.#isAtEnd = true
    newest.hidden = true
  }

  #put(view) {
    const known = this.#shown.get(view.id)
    if ((known?.view.editedAtMs ?? 0) > (view.editedAtMs ?? 0)) return
    const item = known?.item ?? newMessage(view)
    this.#shown.set(view.id, { view, item })
    this.#show(item, view)
    if (!known) this.#page.talk.insertBefore(item, this.#after(view.id))
  }

  #show(item, view) {
    const { message, isDeleted } = this.#shown.get(view.replyToId)?.view ?? {}
    const replied = isDeleted ? undefined : message?.quote || message?.text
    showMessage(item, view, replied, this.#acts)
  }

  /** Ids grow, but events may come in another order. */
  #after(id) {
    let next = null
    for (let last = this.#page.talk.lastElementChild; last; last = last.previousElementSibling) {
      if (BigInt(last.dataset.id) < BigInt(id)) break
      next = last
    }
    return next
  }
}

/** A job is news at its end, whatever else once. */
function isNews(view, before) {
  if (view.isDeleted) return false
  if (!view.job) return !before
  return !isUnderWay(view.message) && (!before || isUnderWay(before.message))
}

function isUnderWay({ progress, buttons = [] }) {
  return Boolean(progress) || buttons.flat().some(({ action }) => action.startsWith('v1:cancel:'))
}

function spokenOf({ message }) {
  const titles = (message.items ?? []).map(({ title }) => title)
  return make('span', { textContent: [message.text, message.quote, ...titles].join('\n') })
}
