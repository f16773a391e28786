/**
 * The playground: a chat with Zimagine. Messages are the server's, in rows; the page only shows them,
 * so it may be opened anew, or stay open while the server starts anew, and lose nothing. A plain
 * browser module, served as it stands.
 */
import { follow, get, newNonce, post, Refusal } from './api.js'
import { Composer } from './composer.js'
import { askForm } from './form.js'
import { choosePlace } from './place.js'
import { showStatus } from './status.js'
import { make, Talk } from './talk.js'
import { currentLocale, locales, say, speak, tell } from './words.js'

const examples = ['web.example-1', 'web.example-2', 'web.example-3', 'web.example-4']

const page = Object.fromEntries(
  [...document.querySelectorAll('[id]')].map((element) => [element.id, element]),
)

/** Guild, channel, member. */
let place
let commands = []
/** What ends the stream of the channel that is open. */
let leave = () => {}
let wasOffline = false

const talk = new Talk(
  { list: page.talk, scroll: page.scroll, spoken: page.spoken },
  {
    press,
    answer: (view, picture) => composer.answer({ view, picture }),
  },
)
const composer = new Composer(page, say_)

// === Words

for (const locale of locales) {
  const button = make('button', { type: 'button', lang: locale })
  button.textContent = new Intl.DisplayNames([locale], { type: 'language' }).of(
    locale.split('-')[0],
  )
  button.addEventListener('click', () => choose(locale))
  page.locales.append(button)
}
for (const key of examples) {
  const button = make('button', { type: 'button' })
  button.dataset.word = key
  button.addEventListener('click', () => composer.suggest(button.textContent))
  page.examples.append(button)
}
mark(currentLocale())
speak(currentLocale())

async function choose(locale) {
  speak(locale)
  mark(locale)
  switcher.rename((await readPlace()).guilds)
  await enter(place)
}

function mark(locale) {
  for (const button of page.locales.children) {
    button.setAttribute('aria-pressed', String(button.lang === locale))
  }
}

// === Places

async function readPlace() {
  const there = await get('/api/place')
  const { model } = there
  if (model) tell(page.model, 'web.model', model)
  tell(page.about, model?.name === 'nano' ? 'web.about-nano' : null)
  return there
}

const switcher = choosePlace(page, (await readPlace()).guilds, (chosen) => void enter(chosen))

/** Opens a channel: what was said, and from then on what is said. */
async function enter(chosen) {
  leave()
  place = chosen
  talk.clear()
  composer.answer(undefined)
  page.older.hidden = true
  closeDrawers()
  leave = follow(place, hear, (isOpen) => {
    page.offline.hidden = isOpen
    if (isOpen && wasOffline) void readNewest()
    wasOffline = !isOpen
  })
  const here = place
  commands = await get('/api/commands').catch(() => [])
  composer.knows(commands, place)
  await readNewest()
  if (here === place) showStatusOf(await get('/api/status', place).catch(() => undefined))
}

function hear(type, data) {
  if (type === 'message') {
    talk.put(data)
    page.welcome.hidden = true
  } else if (type === 'status') {
    showStatusOf(data)
  } else {
    void readNewest()
  }
}

async function readNewest() {
  const here = place
  try {
    const { messages, hasMore } = await get('/api/messages', place)
    if (here !== place) return
    const wasEmpty = talk.isEmpty
    for (const view of messages) talk.put(view)
    if (wasEmpty) page.older.hidden = !hasMore
    page.welcome.hidden = messages.length > 0
    if (wasEmpty) talk.toEnd()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    page.offline.hidden = false
    wasOffline = true
  }
}

page.older.addEventListener('click', async () => {
  const { messages, hasMore } = await get('/api/messages', { ...place, before: talk.oldestId })
  talk.prepend(messages)
  page.older.hidden = !hasMore
})

function showStatusOf(status) {
  if (status) showStatus(page, status, (job) => void press(`v1:cancel:${job}`))
}

// === Saying and pressing

async function say_(said) {
  const answer = await post('/api/say', { ...place, nonce: newNonce(), ...said })
  show(answer)
}

async function press(action, view) {
  try {
    show(
      await post('/api/press', { ...place, nonce: newNonce(), messageId: view?.id, action }),
      view,
    )
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    page.error.hidden = false
    page.error.textContent = error.message
  }
}

/** Shows what was answered; messages come over the stream as well. */
function show({ replies }, view) {
  page.error.hidden = true
  for (const reply of replies) {
    if (reply.kind === 'message') talk.put(reply.view)
    else
      askForm(page, reply.form, (fields, attachments) =>
        fill(reply.form, view, fields, attachments),
      )
  }
  page.welcome.hidden = !talk.isEmpty
}

async function fill({ action }, view, fields, attachments) {
  const nonce = newNonce()
  const body = { ...place, nonce, messageId: view?.id, action, fields, attachments }
  show(await post('/api/press', body), view)
}

// === Drawers of narrow screens

for (const name of ['place', 'status']) {
  const button = page[`open-${name}`]
  button.addEventListener('click', () => {
    const isOpen = page[name].classList.toggle('open')
    button.setAttribute('aria-expanded', String(isOpen))
    if (isOpen) page[name].querySelector('select, button, h2')?.focus?.()
  })
}

function closeDrawers() {
  for (const name of ['place', 'status']) {
    page[name].classList.remove('open')
    page[`open-${name}`].setAttribute('aria-expanded', 'false')
  }
}

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !event.defaultPrevented) closeDrawers()
})
