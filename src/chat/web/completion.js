/**
 * What may stand where the caret is while a slash command is typed: a list under the arrows. Tab and
 * Enter take what is chosen, Escape closes it; who types on need not care that it is there.
 */
import { get } from './api.js'
import { make } from './make.js'
import { say } from './words.js'

const mostChoices = 40
/** Kinds of values that the server knows; it is asked for them. */
const askedKinds = new Set(['style', 'job', 'member', 'role', 'channel'])
const blurMs = 150
const spokenAfterMs = 600

/** Completes what is typed in `page.box`; `onTake` is called when it has changed the text. */
export class Completion {
  #page
  #onTake
  #commands = []
  #place
  #choices = []
  #chosen = -1
  #speaking

  constructor(page, onTake) {
    this.#page = page
    this.#onTake = onTake
    page.box.addEventListener('blur', () => {
      // The focus may be on its way back, from the button that begins a command.
      setTimeout(() => document.activeElement === page.box || this.close(), blurMs)
    })
    page.box.addEventListener('focus', () => this.look())
  }

  /** The commands there are, and where and as whom. */
  knows(commands, place) {
    this.#commands = commands
    this.#place = place
  }

  /** Looks anew at what is typed. */
  look() {
    const { box } = this.#page
    const typed = box.value.slice(0, box.selectionStart)
    if (!/^\s*[/\uff0f]/.test(typed)) return this.close()
    const { choices, isEager = false } = this.#after(typed)
    this.#offer(choices)
    if (isEager && choices.length > 0) this.#choose(0)
  }

  /** Offers nothing. */
  close() {
    this.#offer([])
  }

  /** Whether a key was for the list. */
  takes({ key }) {
    if (this.#choices.length === 0) return false
    if (key === 'ArrowDown') this.#choose(this.#chosen + 1)
    else if (key === 'ArrowUp') this.#choose(Math.max(this.#chosen, 0) - 1)
    else if (key === 'Escape') this.close()
    else if (key === 'Tab') this.#take(this.#choices[Math.max(0, this.#chosen)])
    else if (key === 'Enter' && this.#chosen >= 0) this.#take(this.#choices[this.#chosen])
    else return false
    return true
  }

  /** What may follow; `isEager`: Enter means the first, what is typed being nothing yet. */
  #after(typed) {
    const line = folded(typed)
    const command = this.#commands
      .filter((each) => namesOf(each).some((name) => line.startsWith(`${name} `)))
      .toSorted((one, other) => other.path.length - one.path.length)[0]
    const names = this.#commands
      .map((each) => [each, rank(each, line)])
      .filter(([, ranked]) => ranked > 0)
      .toSorted(([, one], [, other]) => other - one)
      .map(([{ name, about, options }]) => {
        const text = options.length > 0 ? `${name} ` : name
        return { text, title: name, about, from: 0 }
      })
    if (!command || names.length > 0) {
      const isEager = !this.#commands.some((each) => namesOf(each).includes(line.trim()))
      return { choices: names, isEager }
    }
    return { choices: this.#options(command, typed) }
  }

  #options({ options, name }, typed) {
    const word = /\S*$/.exec(typed)[0]
    const from = typed.length - word.length
    const [, said, prefix] = /^([^:\uff1a]+)[:\uff1a](.*)$/.exec(word) ?? []
    const option = options.find((each) => each.label === said || each.name === said)
    if (option) return this.#values(option, { said, prefix, from })
    const hasWords = typed.slice(folded(`${name} `).length, from).trim() !== ''
    // In the midst of words one letter is rather one of them.
    if (hasWords && word.length < 2 && options.some(({ isWords }) => isWords)) return []
    return options
      .filter((each) => !each.isWords && each.kind !== 'picture')
      .filter((each) => each.label.startsWith(word) || each.name.startsWith(word))
      .filter((each) => !typed.includes(` ${each.label}:`))
      .map((each) => ({ text: `${each.label}:`, title: each.label, about: each.about, from }))
  }

  #values({ kind, choices, name }, { said, prefix, from }) {
    const place = { said, from }
    if (askedKinds.has(kind)) {
      void this.#ask(kind, prefix, place)
      return []
    }
    const known =
      kind === 'flag'
        ? [say('web.yes'), say('web.no')].map((word) => ({ value: word, label: word }))
        : (choices ?? [])
    return known
      .filter((each) => each.label.startsWith(prefix) || each.value.startsWith(prefix))
      .map(({ value, label }) => ({
        // A word of the language, if it is one word.
        text: `${said}:${/^[^\s"]+$/.test(label) ? label : value} `,
        title: label,
        about: label === value || name === value ? '' : value,
        from,
      }))
  }

  async #ask(kind, prefix, { said, from }) {
    const { box } = this.#page
    const asked = box.value
    const { guild, member } = this.#place
    const found = await get('/api/complete', { kind, prefix, guild, member }).catch(() => [])
    if (box.value !== asked) return
    this.#offer(
      found.map(({ value, label }) => ({
        text: `${said}:${/\s/.test(value) ? `"${value}"` : value} `,
        title: label,
        about: label === value ? '' : value,
        from,
      })),
    )
  }

  #offer(choices) {
    const { box, completions } = this.#page
    const wasOpen = this.#choices.length > 0
    this.#choices = choices.slice(0, mostChoices)
    this.#chosen = -1
    completions.replaceChildren(...this.#choices.map((choice, k) => this.#item(choice, k)))
    completions.hidden = this.#choices.length === 0
    completions.scrollTop = 0
    box.removeAttribute('aria-activedescendant')
    if (wasOpen || this.#choices.length > 0) this.#speakCount()
  }

  /** Says how many there are, once typing pauses. */
  #speakCount() {
    clearTimeout(this.#speaking)
    const count = this.#choices.length
    if (count === 0) return
    this.#speaking = setTimeout(() => {
      const text = say('web.completions-count', { count })
      this.#page.spoken.replaceChildren(make('span', { textContent: text }))
    }, spokenAfterMs)
  }

  #item(choice, k) {
    const item = make('li', { id: `completion-${k}`, role: 'option', ariaSelected: 'false' })
    item.append(make('strong', { textContent: choice.title }))
    if (choice.about) item.append(' ', make('span', { textContent: choice.about }))
    item.addEventListener('mousedown', (event) => {
      // The focus stays in the box.
      event.preventDefault()
      this.#take(choice)
    })
    return item
  }

  #choose(wanted) {
    const { box, completions } = this.#page
    this.#chosen = (wanted + this.#choices.length) % this.#choices.length
    for (const [k, item] of [...completions.children].entries()) {
      item.ariaSelected = String(k === this.#chosen)
    }
    completions.children[this.#chosen].scrollIntoView({ block: 'nearest' })
    box.setAttribute('aria-activedescendant', `completion-${this.#chosen}`)
  }

  #take({ text, from }) {
    const { box } = this.#page
    const rest = box.value.slice(box.selectionStart)
    box.value = box.value.slice(0, from) + text + rest
    box.setSelectionRange(from + text.length, from + text.length)
    box.focus()
    this.#onTake()
    this.look()
  }
}

function folded(typed) {
  return typed
    .replace(/^\s*[/\uff0f]\s*/, '/')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
}

/** In the language's words and in ours. */
function namesOf({ name, path }) {
  return [name.toLowerCase(), `/${path}`]
}

/** How well a beginning is one of a command's: at its start, or at the start of any word of it. */
function rank(command, line) {
  const names = namesOf(command)
  if (names.some((name) => name.startsWith(line))) return 2
  const word = line.slice(1)
  return names.some((name) => name.includes(` ${word}`)) ? 1 : 0
}
