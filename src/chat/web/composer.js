/**
 * What is typed: words, a slash command with completion, pictures pasted, dropped or chosen, and the
 * picture that is answered. What was typed is never lost: a refusal leaves it in the box.
 */
import { Refusal, get } from './api.js'
import { make } from './talk.js'
import { dress, say } from './words.js'

/** What the server takes, for each picture and altogether. */
const pictureLimitBytes = 20 * 1024 * 1024
const mostPictures = 4
const mostCompletions = 12

/** Makes the composer work; `onSend({ text, replyToId, picture, attachments })` may throw a Refusal. */
export class Composer {
  #page
  #onSend
  #commands = []
  #place
  #answered
  #attached = []
  #choices = []
  #chosen = -1
  #isSending = false

  constructor(page, onSend) {
    this.#page = page
    this.#onSend = onSend
    page.composer.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#send()
    })
    page.box.addEventListener('keydown', (event) => this.#key(event))
    page.box.addEventListener('input', () => this.#typed())
    page.box.addEventListener('blur', () => setTimeout(() => this.#offer([]), 150))
    page['answer-none'].addEventListener('click', () => this.answer(undefined))
    page.file.addEventListener('change', () => {
      this.#attach([...page.file.files])
      page.file.value = ''
    })
    page.box.addEventListener('paste', (event) => {
      if (event.clipboardData.files.length > 0) event.preventDefault()
      this.#attach([...event.clipboardData.files])
    })
    const main = page.composer.parentElement
    main.addEventListener('dragover', (event) => event.preventDefault())
    main.addEventListener('drop', (event) => {
      event.preventDefault()
      this.#attach([...event.dataTransfer.files])
    })
  }

  /** The commands to complete, and where and as whom. */
  knows(commands, place) {
    this.#commands = commands
    this.#place = place
  }

  /** Puts words into the box, unless somebody's own are there. */
  suggest(text) {
    if (this.#page.box.value.trim() === '') this.#page.box.value = text
    this.#grow()
    this.#page.box.focus()
  }

  /** The picture that the next words are about; none: a new one. */
  answer(answered) {
    this.#answered = answered
    this.#page.answering.hidden = answered === undefined
    if (answered) {
      this.#page['answering-text'].textContent = say('web.answering', {
        number: answered.picture.number,
        about: answered.picture.altText,
      })
    }
    this.#page.box.dataset.placeholder = answered ? 'web.placeholder-edit' : 'web.placeholder'
    dress(this.#page.composer)
    this.#page.box.focus()
  }

  async #send() {
    const text = this.#page.box.value.trim()
    if (this.#isSending || (text === '' && this.#attached.length === 0)) return
    this.#isSending = true
    this.#page.send.setAttribute('aria-disabled', 'true')
    this.#refuse(undefined)
    this.#offer([])
    try {
      const attachments = await Promise.all(
        this.#attached.map(async (file) => ({ fileName: file.name, base64: await base64Of(file) })),
      )
      await this.#onSend({
        text,
        replyToId: this.#answered?.view.id,
        picture: this.#answered?.picture.number,
        attachments,
      })
      if (this.#page.box.value.trim() === text) this.#page.box.value = ''
      this.#attached = []
      this.#showAttached()
      this.answer(undefined)
      this.#grow()
    } catch (error) {
      this.#refuse(error)
    } finally {
      this.#isSending = false
      this.#page.send.removeAttribute('aria-disabled')
    }
  }

  #refuse(error) {
    this.#page.error.hidden = error === undefined
    this.#page.error.textContent =
      error === undefined ? '' : error instanceof Refusal ? error.message : say('web.broken')
    if (error !== undefined && !(error instanceof Refusal)) console.error(error)
  }

  #attach(files) {
    if (files.length === 0) return
    this.#refuse(undefined)
    for (const file of files) {
      if (!/^image\/(?:png|jpeg|webp)$/.test(file.type)) {
        this.#refuse(new Refusal(say('web.image-kind')))
      } else if (file.size > pictureLimitBytes) {
        this.#refuse(new Refusal(say('web.image-too-large')))
      } else if (this.#attached.length < mostPictures) {
        this.#attached.push(file)
      }
    }
    this.#showAttached()
    this.#page.box.focus()
  }

  #showAttached() {
    const { attached } = this.#page
    for (const image of attached.querySelectorAll('img')) URL.revokeObjectURL(image.src)
    attached.hidden = this.#attached.length === 0
    attached.replaceChildren(
      ...this.#attached.map((file) => {
        const item = make('li')
        const remove = make('button', { type: 'button', textContent: say('web.remove-image') })
        remove.setAttribute('aria-label', `${say('web.remove-image')}: ${file.name}`)
        remove.addEventListener('click', () => {
          this.#attached = this.#attached.filter((each) => each !== file)
          this.#showAttached()
        })
        item.append(make('img', { src: URL.createObjectURL(file), alt: '' }), file.name, remove)
        return item
      }),
    )
  }

  #key(event) {
    // Careful: the Enter that ends an input method's composition (Chinese typing) must not send;
    // Safari tells it only by the key code 229.
    if (event.isComposing || event.keyCode === 229) return
    const isOpen = this.#choices.length > 0
    if (isOpen && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) {
      event.preventDefault()
      this.#choose(this.#chosen + (event.key === 'ArrowDown' ? 1 : -1))
    } else if (isOpen && (event.key === 'Tab' || (event.key === 'Enter' && this.#chosen >= 0))) {
      event.preventDefault()
      this.#take(this.#choices[Math.max(0, this.#chosen)])
    } else if (event.key === 'Escape') {
      if (isOpen) this.#offer([])
      else if (this.#answered) this.answer(undefined)
    } else if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      this.#send()
    }
  }

  #typed() {
    this.#grow()
    this.#offer(this.#completions())
  }

  #grow() {
    const { box } = this.#page
    box.style.height = 'auto'
    box.style.height = `${box.scrollHeight}px`
  }

  // === Completion

  /** What may stand where the caret is, if a slash command is being typed. */
  #completions() {
    const { box } = this.#page
    const typed = box.value.slice(0, box.selectionStart)
    if (!typed.startsWith('/')) return []
    const words = typed.slice(1)
    const known = this.#commands.filter(({ name }) => words.startsWith(`${name} `))
    const command = known.toSorted((a, b) => b.name.length - a.name.length)[0]
    const commands = this.#commands
      .filter(({ name, path }) => name.startsWith(words) || path.startsWith(words))
      .map(({ name, about }) => ({ text: `/${name} `, label: `/${name}`, about, from: 0 }))
    if (commands.length > 0 || !command) return commands
    return this.#options(command, typed)
  }

  #options(command, typed) {
    const word = /[^\s]*$/.exec(typed)[0]
    const from = typed.length - word.length
    const [, name, prefix] = /^([^:：]+)[:：](.*)$/.exec(word) ?? []
    const option = command.options.find((each) => each.name === name)
    if (option?.choices) {
      return option.choices
        .filter(({ label, value }) => label.startsWith(prefix) || value.startsWith(prefix))
        .map(({ label, value }) => ({ text: `${name}:${value} `, label, about: '', from }))
    }
    if (option && ['style', 'job', 'member'].includes(option.kind)) {
      this.#ask(option, name, prefix, from)
      return []
    }
    if (option || /[:：]/.test(word)) return []
    return command.options
      .filter((each) => each.name.startsWith(word) && !typed.includes(`${each.name}:`))
      .filter(({ kind }) => kind !== 'prompt' && kind !== 'text' && kind !== 'picture')
      .map((each) => ({ text: `${each.name}:`, label: each.name, about: each.about, from }))
  }

  async #ask({ kind }, name, prefix, from) {
    const { box } = this.#page
    const asked = box.value
    const found = await get('/api/complete', { kind, prefix, ...this.#place }).catch(() => [])
    if (box.value !== asked) return
    this.#offer(
      found.map(({ value, label }) => ({ text: `${name}:${value} `, label, about: '', from })),
    )
  }

  #offer(choices) {
    const { box, completions } = this.#page
    this.#choices = choices.slice(0, mostCompletions)
    this.#chosen = -1
    completions.replaceChildren(
      ...this.#choices.map((choice, k) => {
        const item = make('li', { id: `completion-${k}` })
        item.setAttribute('role', 'option')
        item.setAttribute('aria-selected', 'false')
        item.append(make('strong', { textContent: choice.label }))
        if (choice.about) item.append(make('span', { textContent: choice.about }))
        item.addEventListener('mousedown', (event) => {
          event.preventDefault()
          this.#take(choice)
        })
        return item
      }),
    )
    completions.hidden = this.#choices.length === 0
    box.setAttribute('aria-expanded', String(this.#choices.length > 0))
    box.removeAttribute('aria-activedescendant')
  }

  #choose(wanted) {
    const { box, completions } = this.#page
    this.#chosen = (wanted + this.#choices.length) % this.#choices.length
    for (const [k, item] of [...completions.children].entries()) {
      item.setAttribute('aria-selected', String(k === this.#chosen))
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
    this.#typed()
  }
}

/** A file as base64, the way JSON can carry it. @throws {Refusal} */
export function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.addEventListener('load', () =>
      resolve(reader.result.slice(reader.result.indexOf(',') + 1)),
    )
    reader.addEventListener('error', () => reject(new Refusal(say('web.image-unreadable'))))
    reader.readAsDataURL(file)
  })
}
