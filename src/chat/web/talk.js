/**
 * The conversation: messages as they come, edited in place, oldest first. What was written by anybody
 * is only ever set as text. Those who listen are told what is new and final, not each step of it.
 */
import { currentLocale, dress, say } from './words.js'

/** Shows messages in `list`; `acts` are `press(action, message)`, `answer(message, picture)`. */
export class Talk {
  #list
  #scroll
  #acts
  #spoken
  #shown = new Map()

  constructor({ list, scroll, spoken }, acts) {
    this.#list = list
    this.#scroll = scroll
    this.#spoken = spoken
    this.#acts = acts
  }

  /** The oldest message that is shown. */
  get oldestId() {
    return this.#list.firstElementChild?.dataset.id
  }

  get isEmpty() {
    return this.#shown.size === 0
  }

  /** Forgets everything. */
  clear() {
    this.#shown.clear()
    this.#list.replaceChildren()
  }

  /** Puts these messages, oldest first, before all that are shown, and stays where it was. */
  prepend(views) {
    const fromEnd = this.#scroll.scrollHeight - this.#scroll.scrollTop
    const isAtEnd = this.#isAtEnd
    for (const view of views.toReversed()) {
      if (this.#shown.has(view.id)) this.put(view)
      else this.#list.prepend(this.#element(view))
    }
    this.#scroll.scrollTop = isAtEnd
      ? this.#scroll.scrollHeight
      : this.#scroll.scrollHeight - fromEnd
  }

  /** Shows a message, in place if it is there already. */
  put(view) {
    const isAtEnd = this.#isAtEnd
    const before = this.#shown.get(view.id)
    if (before && (before.view.editedAtMs ?? 0) > (view.editedAtMs ?? 0)) return
    const focused = document.activeElement?.dataset?.action
    const hadFocus = before?.element.contains(document.activeElement)
    const element = this.#element(view)
    if (before) before.element.replaceWith(element)
    else this.#place(element)
    if (hadFocus && focused) {
      element
        .querySelector(`[data-action="${CSS.escape(focused)}"]`)
        ?.focus({ preventScroll: true })
    }
    if (isAtEnd) this.toEnd()
    const isNews = !before || (before.view.message.progress && !view.message.progress)
    if (isNews && view.from.kind === 'bot') this.#spoken.textContent = view.message.text
  }

  /** Shows the newest message. */
  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroll
    return scrollHeight - scrollTop - clientHeight < 60
  }

  /** In the order of ids: events may come in another. */
  #place(element) {
    const id = BigInt(element.dataset.id)
    let next = null
    for (let last = this.#list.lastElementChild; last; last = last.previousElementSibling) {
      if (BigInt(last.dataset.id) < id) break
      next = last
    }
    this.#list.insertBefore(element, next)
  }

  #element(view) {
    const { message, from } = view
    const item = make('li', { className: 'message' })
    item.dataset.id = view.id
    item.dataset.from = from.kind
    if (view.job) item.dataset.job = view.job
    if (view.isPrivate) item.classList.add('private')
    const head = make('p', { className: 'who' })
    head.append(make('strong', { textContent: from.kind === 'bot' ? 'Zimagine' : from.name }))
    head.append(timeOf(view))
    if (view.isPrivate)
      head.append(make('span', { className: 'note', textContent: say('web.private') }))
    item.append(head)
    if (view.replyToId) item.append(this.#replied(view.replyToId))
    if (view.isDeleted) {
      item.append(make('p', { className: 'note', textContent: say('web.deleted') }))
    } else {
      item.append(...this.#body(view, message))
    }
    dress(item)
    this.#shown.set(view.id, { view, element: item })
    return item
  }

  #replied(id) {
    const text = this.#shown.get(id)?.view.message.quote ?? this.#shown.get(id)?.view.message.text
    const note = make('p', { className: 'replied', dir: 'auto' })
    note.textContent = text
      ? say('web.answers', { text: shortened(text) })
      : say('web.answers-older')
    return note
  }

  *#body(view, message) {
    if (message.text) yield make('p', { className: 'text', dir: 'auto', textContent: message.text })
    if (message.quote) {
      yield make('blockquote', { dir: 'auto', textContent: message.quote })
    }
    if (message.progress) yield* progressOf(message)
    if (message.pictures?.length) yield this.#pictures(view, message.pictures)
    if (message.facts) yield make('p', { className: 'facts', textContent: message.facts })
    for (const { label, text } of message.copy ?? []) yield copyLine(label, text)
    if (message.items?.length) yield this.#items(view, message.items)
    if (message.file) yield fileLink(message.file)
    for (const row of message.buttons ?? []) yield this.#buttons(view, row)
  }

  #pictures(view, pictures) {
    const box = make('div', { className: 'pictures' })
    box.dataset.count = Math.min(4, pictures.length)
    for (const picture of pictures) {
      const figure = make('figure')
      const link = make('a', { href: picture.url, target: '_blank', rel: 'noopener' })
      link.append(pictureOf(picture))
      const answer = make('button', { type: 'button', className: 'answer' })
      answer.dataset.word = pictures.length > 1 ? 'web.answer-number' : 'web.answer'
      answer.dataset.params = JSON.stringify({ number: picture.number })
      answer.addEventListener('click', () => this.#acts.answer(view, picture))
      const save = make('a', { className: 'button', href: picture.url, download: picture.fileName })
      save.dataset.word = 'web.download'
      const actions = make('figcaption')
      actions.append(answer, save)
      figure.append(link, actions)
      box.append(figure)
    }
    return box
  }

  #items(view, items) {
    const list = make('ul', { className: 'items' })
    list.setAttribute('role', 'list')
    for (const { title, text, picture, buttons } of items) {
      const entry = make('li')
      if (picture) {
        const link = make('a', { href: picture.url, target: '_blank', rel: 'noopener' })
        link.append(pictureOf(picture))
        entry.append(link)
      }
      const words = make('div')
      words.append(make('strong', { dir: 'auto', textContent: title }))
      if (text) words.append(make('p', { dir: 'auto', textContent: text }))
      if (buttons?.length) words.append(this.#buttons(view, buttons))
      entry.append(words)
      list.append(entry)
    }
    return list
  }

  #buttons(view, buttons) {
    const row = make('div', { className: 'buttons' })
    for (const { label, action, style } of buttons) {
      const button = make('button', { type: 'button', className: style, textContent: label })
      button.dataset.action = action
      button.addEventListener('click', async () => {
        button.setAttribute('aria-disabled', 'true')
        await this.#acts.press(action, view)
        button.removeAttribute('aria-disabled')
      })
      row.append(button)
    }
    return row
  }
}

function* progressOf({ progress, previewUrl }) {
  const box = make('div', { className: 'progress' })
  const { done, of, text } = progress
  const meter = make('progress', { max: of })
  // A meter without a value says that something is happening, not how far it is.
  if (done > 0) meter.value = done
  meter.setAttribute('aria-label', say('web.progress'))
  box.append(meter, make('p', { textContent: text }))
  yield box
  if (previewUrl) {
    yield make('img', { className: 'preview', src: previewUrl, alt: say('web.preview') })
  }
}

function pictureOf({ url, width, height, altText }) {
  return make('img', { src: url, width, height, alt: altText, loading: 'lazy' })
}

function copyLine(label, text) {
  const line = make('p', { className: 'copy' })
  const button = make('button', { type: 'button' })
  button.dataset.word = 'web.copy'
  button.addEventListener('click', async () => {
    await navigator.clipboard?.writeText(text)
    button.textContent = say('web.copied')
  })
  line.append(`${label} `, make('code', { dir: 'auto', textContent: text }), button)
  return line
}

function fileLink({ fileName, url }) {
  const link = make('a', { className: 'button', href: url, download: fileName })
  link.textContent = say('web.download-file', { fileName })
  return link
}

function timeOf({ createdAtMs }) {
  const time = make('time', { dateTime: new Date(createdAtMs).toISOString() })
  const isToday = new Date(createdAtMs).toDateString() === new Date().toDateString()
  time.textContent = new Intl.DateTimeFormat(
    currentLocale(),
    isToday ? { timeStyle: 'short' } : { dateStyle: 'short', timeStyle: 'short' },
  ).format(createdAtMs)
  return time
}

function shortened(text) {
  const characters = [...text]
  return characters.length > 60 ? `${characters.slice(0, 60).join('')}…` : text
}

/** An element with these properties. */
export function make(name, properties = {}) {
  return Object.assign(document.createElement(name), properties)
}
