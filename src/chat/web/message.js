/**
 * A message as elements. A message that changes is changed part by part, so that whatever stays the
 * same keeps its focus, its presses on their way and its pictures on the screen.
 */
import { make } from './make.js'
import { portraitOf } from './portrait.js'
import { currentLocale, label, say, tell } from './words.js'

/** Pictures of fewer pixels are not drawn out to the width of the page. */
const smallPixels = 384

/** By element of a message, what its parts show, by name. */
const shownParts = new WeakMap()

/** The element that a message will be shown in. */
export function newMessage({ id, from, job }) {
  const item = make('li', { className: 'message' })
  item.dataset.id = id
  item.dataset.from = from.kind
  if (job) item.dataset.job = job
  shownParts.set(item, new Map())
  return item
}

/**
 * Shows in its element what a message is now; `acts` are `press(action, view)` and
 * `answer(view, picture)`, `replied` is the message that it answers, if that is known.
 */
export function showMessage(item, view, replied, acts) {
  const shown = shownParts.get(item)
  item.classList.toggle('private', view.isPrivate)
  let before
  for (const [name, facts, build] of partsOf(view, replied, acts)) {
    const old = shown.get(name)
    const known = JSON.stringify([currentLocale(), facts])
    if (facts === undefined) {
      old?.element.remove()
      shown.delete(name)
    } else if (old?.known === known) {
      before = old.element
    } else {
      const element = build(facts, old?.element)
      element.dataset.part = name
      if (old && old.element !== element) old.element.replaceWith(element)
      else if (!old && before) before.after(element)
      else if (!old) item.prepend(element)
      shown.set(name, { known, element })
      before = element
    }
  }
}

/** The parts of a message in their order: a name, what is to be shown, and how. */
function partsOf(view, replied, acts) {
  const { from, createdAtMs, isPrivate, isDeleted, message } = view
  const { text, quote, progress, previewUrl, pictures, facts, copy, items, file, buttons } =
    isDeleted ? {} : message
  return [
    ['portrait', from, portraitOf],
    ['who', { from, createdAtMs, isPrivate }, whoOf],
    ['replied', view.replyToId ? { text: replied } : undefined, repliedOf],
    [
      'deleted',
      isDeleted || undefined,
      () => tell(make('p', { className: 'note' }), 'web.deleted'),
    ],
    ['text', text || undefined, (said) => textOf('p', said)],
    ['quote', quote || undefined, (said) => textOf('blockquote', said)],
    ['progress', progress, progressOf],
    ['preview', previewUrl, previewOf],
    ['pictures', many(pictures), (list) => picturesOf(view, list, acts)],
    ['facts', facts || undefined, (line) => make('p', { className: 'note', textContent: line })],
    ['copy', many(copy), copyOf],
    ['items', many(items), (list) => itemsOf(view, list, acts)],
    ['file', file, fileOf],
    [
      'buttons',
      many(buttons),
      (rows) => make('div', {}, ...rows.map((row) => buttonsOf(view, row, acts))),
    ],
  ]
}

function many(list) {
  return list?.length ? list : undefined
}

function whoOf({ from, createdAtMs, isPrivate }) {
  const name = from.kind === 'bot' ? 'Zimagine' : from.name
  const who = make('p', { className: 'who' }, make('strong', { dir: 'auto', textContent: name }))
  who.append(' ', timeOf(createdAtMs))
  if (isPrivate) who.append(' ', tell(make('span', { className: 'role' }), 'web.private'))
  return who
}

function timeOf(atMs) {
  const isToday = new Date(atMs).toDateString() === new Date().toDateString()
  const form = isToday ? { timeStyle: 'short' } : { dateStyle: 'short', timeStyle: 'short' }
  return make('time', {
    dateTime: new Date(atMs).toISOString(),
    textContent: new Intl.DateTimeFormat(currentLocale(), form).format(atMs),
  })
}

function repliedOf({ text }) {
  const line = make('p', { className: 'replied', dir: 'auto' })
  return text === undefined
    ? tell(line, 'web.answers-older')
    : tell(line, 'web.answers', { text: text.replaceAll(/\s+/g, ' ') })
}

function textOf(name, said) {
  return make(name, { className: 'text', dir: 'auto', textContent: said })
}

function progressOf({ done, of, text }, old) {
  const box = old ?? make('div', { className: 'progress' }, make('progress'), make('p'))
  const [meter, words] = box.children
  meter.max = of
  // A meter without a value says that something is happening, not how far it is.
  if (done > 0) meter.value = done
  label(meter, 'web.progress')
  words.textContent = text
  return box
}

function previewOf(src, old) {
  const preview = old ?? newPreview()
  preview.src = src
  preview.alt = say('web.preview')
  return preview
}

function newPreview() {
  const preview = make('img', { className: 'preview' })
  // The last one may be gone before it is asked for.
  preview.addEventListener('error', () => preview.classList.add('unseen'))
  preview.addEventListener('load', () => preview.classList.remove('unseen'))
  return preview
}

function picturesOf(view, pictures, acts) {
  const box = make('div', { className: 'pictures' })
  box.dataset.count = pictures.length
  for (const picture of pictures) {
    const { number, width, height } = picture
    const figure = make('figure', {}, pictureOf(picture))
    if (Math.max(width, height) < smallPixels) figure.className = 'small'
    const answer = tell(make('button', { type: 'button' }), 'web.answer')
    label(answer, 'web.answer-number', { number })
    const save = make('a', { className: 'button', href: picture.url, download: picture.fileName })
    tell(save, 'web.download')
    label(save, 'web.download-number', { number })
    answer.addEventListener('click', () => acts.answer(view, picture))
    figure.append(make('figcaption', {}, answer, save))
    box.append(figure)
  }
  return box
}

/** A picture that opens whole in a window of its own. */
function pictureOf({ url, width, height, altText, isCovered }) {
  const image = make('img', { src: url, width, height, alt: altText, loading: 'lazy' })
  const link = make('a', { href: url, target: '_blank', rel: 'noopener' }, image)
  return isCovered ? covered(link) : link
}

/** A picture that nobody sees before they want to: the first press only uncovers it. */
function covered(link) {
  link.className = 'covered'
  label(link, 'web.uncover')
  const uncover = (event) => {
    event.preventDefault()
    link.className = ''
    delete link.dataset.label
    link.removeAttribute('aria-label')
  }
  link.addEventListener('click', uncover, { once: true })
  return link
}

function copyOf(lines) {
  return make('div', { className: 'copies' }, ...lines.map(copyLine))
}

function copyLine({ label: name, text }) {
  const code = make('code', { dir: 'auto', textContent: text })
  const button = tell(make('button', { type: 'button' }), 'web.copy')
  label(button, 'web.copy-label', { label: name })
  button.addEventListener('click', () => void copied(code, button))
  return make('p', {}, make('span', { textContent: name }), code, button)
}

/** Copies, or where the browser does not let us, selects what is to be copied. */
async function copied(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent)
    delete button.dataset.label
    button.removeAttribute('aria-label')
    tell(button, 'web.copied')
  } catch {
    getSelection().selectAllChildren(code)
  }
}

function itemsOf(view, items, acts) {
  const list = make('ul', { className: 'items', role: 'list' })
  for (const { title, text, picture, buttons } of items) {
    const words = make('div', {}, make('strong', { dir: 'auto', textContent: title }))
    if (text) words.append(textOf('p', text))
    const item = make('li', {}, ...(picture ? [pictureOf(picture)] : []), words)
    if (buttons?.length) item.append(buttonsOf(view, buttons, acts, title))
    list.append(item)
  }
  return list
}

function fileOf({ fileName, url }) {
  return tell(
    make('a', { className: 'button', href: url, download: fileName }),
    'web.download-file',
    { fileName },
  )
}

/** Buttons in a row; `about` tells apart those of several entries. */
function buttonsOf(view, buttons, acts, about) {
  const row = make('div', { className: 'buttons' })
  for (const { label: name, action, style } of buttons) {
    const button = make('button', { type: 'button', className: style, textContent: name })
    if (about) button.ariaLabel = `${name}: ${about}`
    button.dataset.action = action
    button.addEventListener('click', () => void pressed(button, () => acts.press(action, view)))
    row.append(button)
  }
  return row
}

/** Once at a time. */
async function pressed(button, press) {
  if (button.ariaDisabled === 'true') return
  button.ariaDisabled = 'true'
  await press()
  button.ariaDisabled = null
}
