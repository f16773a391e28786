/**
 * The playground: a chat with Zimagine. Messages are the server's, in rows; the page only shows them,
 * so it may be opened anew, or stay open while the server starts anew, and lose nothing. Plain
 * browser modules, served as they stand.
 */
import { follow, get, getAtLast, newNonce, post } from './api.js'
import { Composer } from './composer.js'
import { Forms } from './form.js'
import { make } from './make.js'
import { Switcher } from './place.js'
import { showStatus } from './status.js'
import { Talk } from './talk.js'
import { currentLocale, locales, speak, tell } from './words.js'

const examples = ['web.example-1', 'web.example-2', 'web.example-3', 'web.example-4']
/** How long a line may be broken before it is worth a word. */
const brokenMs = 1_500

const page = Object.fromEntries(
  [...document.querySelectorAll('[id]')].map((element) => [element.id, element]),
)

/** Guild, channel, member. */
let place
/** What ends the stream of the channel that is open. */
let leave = () => {}
let breaking

const talk = new Talk(page, {
  press,
  answer: (view, picture) => {
    composer.answer({ view, picture })
    page.box.focus()
  },
})
const composer = new Composer(page, (said) => exchange('/api/say', said))
const forms = new Forms(page)

// === Words

for (const locale of locales) {
  const [language] = locale.split('-')
  const name = new Intl.DisplayNames([locale], { type: 'language' }).of(language)
  const button = make('button', { type: 'button', lang: locale, textContent: name })
  button.addEventListener('click', () => void translate(locale))
  page.locales.append(button)
}
for (const key of examples) {
  const button = tell(make('button', { type: 'button' }), key)
  button.addEventListener('click', () => composer.suggest(button.textContent))
  page.examples.append(button)
}
show(currentLocale())

function show(locale) {
  speak(locale)
  for (const button of page.locales.children) button.ariaPressed = String(button.lang === locale)
}

/** The same place in another language; what is typed stays, and what is answered. */
async function translate(locale) {
  show(locale)
  composer.refuse(undefined)
  talk.translate()
  switcher.rename((await readPlace()).guilds)
  open()
}

// === Places

async function readPlace() {
  const there = await getAtLast('/api/place')
  tell(page.model, there.model ? 'web.model' : null, there.model ?? {})
  tell(page.about, there.model?.name === 'nano' ? 'web.about-nano' : null)
  return there
}

const switcher = new Switcher(page, (await readPlace()).guilds, enter)
enter(switcher.place)

function enter(chosen) {
  place = chosen
  talk.clear()
  composer.answer(undefined)
  composer.refuse(undefined)
  page.older.hidden = true
  page.welcome.hidden = true
  open()
}

/** Follows the channel; the stream says first of all that everything is to be read. */
function open() {
  leave()
  leave = follow(place, hear, (isOpen) => {
    clearTimeout(isOpen ? breaking : undefined)
    if (isOpen) breaking = undefined
    else breaking ??= setTimeout(() => (page.offline.hidden = false), brokenMs)
    if (isOpen) page.offline.hidden = true
  })
  void read()
}

function hear(type, data) {
  if (type === 'status') showStatus(page, data, (job) => void press(`v1:cancel:${job}`))
  else if (type === 'resync') void read()
  else {
    page.welcome.hidden = true
    talk.hear(data)
  }
}

/** Reads what there is to say and what was said. */
async function read() {
  const here = place
  try {
    const [commands, { messages, hasMore }] = await Promise.all([
      get('/api/commands'),
      get('/api/messages', place),
    ])
    if (here !== place) return
    composer.knows(commands, place)
    // After a long while there may be a gap, which nobody would see.
    if (hasMore && !talk.has(messages)) talk.clear()
    if (talk.isEmpty) page.older.hidden = !hasMore
    talk.fill(messages)
    page.welcome.hidden = !talk.isEmpty
  } catch (error) {
    // A broken line is told of already, and once it is whole the server says to read again.
    if (!error.isSilence) composer.refuse(error)
  }
}

page.older.addEventListener('click', () => void readOlder())

async function readOlder() {
  const here = place
  try {
    const { messages, hasMore } = await get('/api/messages', { ...place, before: talk.oldestId })
    if (here !== place) return
    talk.fill(messages)
    page.older.hidden = !hasMore
  } catch (error) {
    composer.refuse(error)
  }
}

// === Saying and pressing

async function press(action, view) {
  try {
    await exchange('/api/press', { ...pressOf(view), action, nonce: newNonce() })
    composer.refuse(undefined)
  } catch (error) {
    composer.refuse(error)
  }
}

/** Asks, and shows what was answered; messages come over the stream as well. @throws {Refusal} */
async function exchange(path, asked) {
  const here = place
  const { message, replies } = await post(path, { ...place, ...asked })
  if (here !== place) return
  const views = replies.filter(({ kind }) => kind === 'message').map(({ view }) => view)
  if (message) talk.hear(message)
  for (const view of views) talk.hear(view)
  page.welcome.hidden = !talk.isEmpty
  if (message) talk.toEnd()
  const form = replies.find(({ kind }) => kind === 'form')?.form
  if (form) forms.ask(form, fillerOf(form, asked.messageId ?? message?.id))
}

/** The same again, because its answer was lost, has the same nonce. */
function fillerOf({ action }, messageId) {
  let sent = {}
  return async (filled) => {
    const known = JSON.stringify(filled)
    if (sent.known !== known) sent = { known, nonce: newNonce() }
    await exchange('/api/press', { messageId, action, nonce: sent.nonce, ...filled })
  }
}

function pressOf(view) {
  return view ? { messageId: view.id } : {}
}
