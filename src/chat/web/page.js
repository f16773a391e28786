/**
 * The page: a wish goes in, steps are watched, pictures stay (newest first). One drawing at a time;
 * what is typed is never thrown away. A plain browser module, served as it stands.
 */
import { base64Of, imagine, Refusal } from './stream.js'
import { currentLocale, dress, locales, quote, speak, tell } from './words.js'

const examples = ['web.example-1', 'web.example-2', 'web.example-3', 'web.example-4']

/** As many pictures as the server keeps: older ones could no longer be downloaded. */
const keptPictures = 64

/** What the server takes as a starting picture. */
const imageLimitBytes = 20 * 1024 * 1024

/** How often steps are read out to those who listen instead of look. */
const announceEveryMs = 5_000

const page = Object.fromEntries(
  [...document.querySelectorAll('[id]')].map((element) => [element.id, element]),
)

/** The running drawing's abort controller, or undefined when idle. */
let drawing
/** The chosen starting picture, or undefined. */
let startingImage
/** The last wish sent from the field: only what was already sent may be replaced by an example. */
let lastSent = ''

// === Words

for (const locale of locales) {
  const button = document.createElement('button')
  button.type = 'button'
  button.lang = locale
  button.textContent = new Intl.DisplayNames([locale], { type: 'language' }).of(
    locale.split('-')[0],
  )
  button.addEventListener('click', () => choose(locale))
  page.locales.append(button)
}
for (const key of examples) {
  const button = document.createElement('button')
  button.type = 'button'
  button.dataset.word = key
  button.addEventListener('click', () => sendExample(button.textContent))
  page.examples.append(button)
}
choose(currentLocale())

function choose(locale) {
  speak(locale)
  for (const button of page.locales.children) {
    button.setAttribute('aria-pressed', String(button.lang === locale))
  }
}

// === Sending

page.form.addEventListener('submit', (event) => {
  event.preventDefault()
  send(page.prompt.value)
})
page.prompt.addEventListener('keydown', (event) => {
  // Careful: the Enter that ends an input method's composition (Chinese typing) must not send;
  // Safari tells it only by the key code 229.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return
  event.preventDefault()
  send(page.prompt.value)
})
page.prompt.addEventListener('input', fit)
page.cancel.addEventListener('click', () => drawing?.abort())
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.isComposing) drawing?.abort()
})

/** The field grows with its text, up to the height that the style allows. */
function fit() {
  page.prompt.style.height = 'auto'
  page.prompt.style.height = `${page.prompt.scrollHeight}px`
}

function sendExample(wish) {
  if (drawing) return
  const typed = page.prompt.value.trim()
  if (typed === '' || typed === lastSent) {
    page.prompt.value = wish
    fit()
  }
  send(wish)
}

function send(prompt) {
  if (drawing) return
  lastSent = prompt.trim()
  const spec = { prompt: lastSent, count: Number(page.count.value) }
  const fields = ['seed', 'width', 'height', 'evaluations', 'guidance']
  for (const name of startingImage ? [...fields, 'strength'] : fields) {
    const typed = page[name].value.trim()
    // What is no number goes as it was typed: the server says what the field takes.
    if (typed !== '') spec[name] = Number.isNaN(Number(typed)) ? typed : Number(typed)
  }
  const negative = page.negativePrompt.value.trim()
  if (negative !== '') spec.negativePrompt = negative
  void draw(spec, startingImage)
}

// === Starting picture

page.image.addEventListener('change', () => start(page.image.files[0]))
page.unchoose.addEventListener('click', () => {
  start(undefined)
  page.image.focus()
})
// A picture may be pasted or dropped anywhere; a browser left alone would open a dropped one in
// place of the page, and what was typed would be gone.
document.addEventListener('dragover', (event) => event.preventDefault())
document.addEventListener('drop', (event) => receive(event, event.dataTransfer))
document.addEventListener('paste', (event) => receive(event, event.clipboardData))

function receive(event, { files }) {
  if (files.length === 0) return
  event.preventDefault()
  page.options.open = true
  start(files[0])
}

function start(file) {
  URL.revokeObjectURL(page.chosenImage.src)
  refuse(undefined)
  startingImage = file
  if (file !== undefined && file.size > imageLimitBytes) {
    startingImage = undefined
    refuse(new Refusal({ word: 'web.image-too-large' }))
  }
  // Emptied, so that choosing the same file again is a change.
  page.image.value = ''
  page.chosen.hidden = startingImage === undefined
  page.strengthField.hidden = startingImage === undefined
  if (startingImage === undefined) return
  page.chosenImage.src = URL.createObjectURL(startingImage)
  page.chosenName.textContent = startingImage.name
}

// === Drawing

/** Draws a wish, card by card; `file` is its starting picture. Never throws. */
async function draw(spec, file) {
  drawing = new AbortController()
  const { signal } = drawing
  const startedMs = performance.now()
  const cards = Array.from({ length: spec.count }, () => makeCard(spec.prompt))
  const waiting = [...cards]
  let progress = { key: 'web.starting' }
  let announcedMs = startedMs

  const showProgress = () =>
    tell(page.step, progress.key, { ...progress, elapsedMs: performance.now() - startedMs })
  const clock = setInterval(showProgress, 100)
  refuse(undefined)
  setBusy(true)
  showProgress()
  tell(page.status, 'web.started')
  page.pictures.prepend(...cards)
  page.progress.scrollIntoView({ block: 'nearest' })

  try {
    const request = file ? { ...spec, imageName: file.name, image: await base64Of(file) } : spec
    for await (const event of imagine(request, signal)) {
      if (event.type === 'step') {
        progress = { key: 'web.step', ...event }
        page.meter.max = event.evaluations
        page.meter.value = event.index
        for (const [index, preview] of event.previews.entries()) {
          if (waiting[index]) waiting[index].querySelector('img').src = preview
        }
        showProgress()
        if (performance.now() - announcedMs > announceEveryMs) {
          announcedMs = performance.now()
          tell(page.status, 'web.step-spoken', event)
        }
      } else {
        finishCard(waiting.shift(), event, spec, file)
        tell(page.status, 'web.ready', event)
      }
    }
  } catch (error) {
    tell(page.status, signal.aborted ? 'web.cancelled' : null)
    if (!signal.aborted) refuse(error)
    // A mistake of ours belongs in the console as well.
    if (!signal.aborted && !(error instanceof Refusal)) reportError(error)
  }
  clearInterval(clock)
  for (const card of waiting) card.remove()
  drawing = undefined
  setBusy(false)
}

function setBusy(busy) {
  const leaving = !busy && page.progress.contains(document.activeElement)
  page.progress.hidden = !busy
  // `aria-disabled`, not `disabled`: a button that is pressed must not lose the focus.
  for (const button of [page.draw, ...page.examples.children]) button.ariaDisabled = String(busy)
  for (const button of page.pictures.querySelectorAll('button')) button.ariaDisabled = String(busy)
  page.pictures.ariaBusy = String(busy)
  page.meter.removeAttribute('value')
  page.empty.hidden = page.pictures.children.length > 0
  if (leaving) page.prompt.focus()
}

/** Shows an error as a sentence beside what was typed, and marks its field; undefined clears it. */
function refuse(error) {
  for (const field of page.form.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid')
    if (field !== page.prompt) field.removeAttribute('aria-describedby')
  }
  page.error.hidden = error === undefined
  if (error === undefined) return tell(page.error, null)
  if (error.sentences) quote(page.error, error.sentences)
  else tell(page.error, error.word ?? 'web.interrupted')

  const field = error.field === undefined ? undefined : page[error.field]
  if (!field) return
  field.setAttribute('aria-invalid', 'true')
  if (field !== page.prompt) field.setAttribute('aria-describedby', 'error')
  if (page.options.contains(field)) page.options.open = true
  field.focus()
}

// === Pictures

function makeCard(wish) {
  const card = page.card.content.firstElementChild.cloneNode(true)
  card.classList.add('developing')
  card.querySelector('.wish').textContent = wish
  card.querySelector('.wish').title = wish
  dress(card)
  return card
}

function finishCard(card, picture, spec, file) {
  const [view, download] = card.querySelectorAll('a')
  const again = card.querySelector('button')
  const image = card.querySelector('img')
  image.src = picture.url
  image.alt = spec.prompt
  view.href = picture.url
  download.href = picture.url
  for (const link of [download, again]) link.dataset.params = JSON.stringify({ seed: picture.seed })
  tell(card.querySelector('.meta'), 'web.meta', picture)
  again.addEventListener('click', () => {
    if (drawing) return
    const { seed: _, ...same } = spec
    void draw({ ...same, count: 1 }, file)
  })
  card.classList.remove('developing')
  dress(card)
  for (const old of [...page.pictures.children].slice(keptPictures)) old.remove()
}

// === The model

try {
  const { name, parameters, defaults } = await (await fetch('/api/model')).json()
  for (const field of ['width', 'height', 'evaluations', 'guidance']) {
    page[field].placeholder = String(defaults[field])
  }
  tell(page.model, 'web.model', { name, parameters })
  if (name === 'nano') tell(page.about, 'web.about-nano')
} catch {
  // The line about the model is a courtesy; drawing will say what is wrong.
}
