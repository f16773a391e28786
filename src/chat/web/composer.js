/**
 * What is typed: words, a slash command, pictures pasted, dropped or chosen, and the picture that is
 * answered. What was typed is never lost: a refusal leaves it in the box, a reload finds it again,
 * and the arrow up brings back what was said before.
 */
import { base64Of, newNonce, Refusal } from './api.js'
import { Completion } from './completion.js'
import { make } from './make.js'
import { dress, label, tell } from './words.js'

/** What the server takes: of each picture, and how many. */
const pictureLimitBytes = 20 * 1024 * 1024
const mostPictures = 4
const mostRecalled = 100
const draftKey = 'zimagine.draft'

/** Makes the composer work; `onSend(said)` may throw a Refusal. */
export class Composer {
  #page
  #onSend
  #completion
  #answered
  #attached = []
  #isSending = false
  /** What was sent last and its nonce: sent again, it is the same. */
  #sent = {}
  #said = []
  /** How far back in what was said one is; 0 is what is being typed. */
  #recalled = 0

  constructor(page, onSend) {
    this.#page = page
    this.#onSend = onSend
    this.#completion = new Completion(page, () => this.#changed())
    const { composer, box, file } = page
    composer.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#send()
    })
    box.addEventListener('keydown', (event) => this.#key(event))
    box.addEventListener('input', () => {
      this.#recalled = 0
      this.#changed()
      this.#completion.look()
    })
    page['answer-none'].addEventListener('click', () => this.answer(undefined))
    page.commands.addEventListener('click', () => this.#beginCommand())
    file.addEventListener('change', () => {
      this.#attach([...file.files])
      file.value = ''
    })
    this.#takePictures()
    box.value = recallDraft()
    this.#changed()
  }

  /** The commands to complete, and where and as whom. */
  knows(commands, place) {
    this.#completion.knows(commands, place)
  }

  /** Puts words into the box, unless somebody's own are there. */
  suggest(text) {
    if (this.#page.box.value.trim() === '') this.#write(text)
    this.#page.box.focus()
  }

  /** The picture that the next words are about; none: a new one. */
  answer(answered) {
    this.#answered = answered
    const { answering, 'answering-text': text, box } = this.#page
    answering.hidden = answered === undefined
    if (answered) {
      const { view, picture } = answered
      const about = view.message.quote ?? picture.altText
      tell(text, 'web.answering', { number: picture.number, about })
    }
    box.dataset.placeholder = answered ? 'web.placeholder-edit' : 'web.placeholder'
    dress(this.#page.row)
  }

  /** Shows what went wrong: a sentence of the server's, or ours by its key; nothing did. */
  refuse(error) {
    const { error: line } = this.#page
    line.hidden = error === undefined
    if (error === undefined) tell(line, null)
    else if (typeof error === 'string') tell(line, error)
    else if (error instanceof Refusal) tell(line, null).textContent = error.message
    else {
      console.error(error)
      tell(line, 'web.broken')
    }
  }

  async #send() {
    const { box } = this.#page
    const typed = box.value
    const text = typed.trim()
    if (this.#isSending || (text === '' && this.#attached.length === 0)) return
    this.#sending(true)
    this.#completion.close()
    const [attached, answered] = [this.#attached, this.#answered]
    try {
      const attachments = await Promise.all(
        attached.map(async (file) => ({ fileName: file.name, base64: await base64Of(file) })),
      )
      const reply = answered && { replyToId: answered.view.id, picture: answered.picture.number }
      await this.#onSend(this.#numbered({ text, attachments, ...reply }))
      this.#sent = {}
      this.refuse(undefined)
      this.#remember(text)
      // What was typed meanwhile stays.
      this.#write(box.value.startsWith(typed) ? box.value.slice(typed.length) : box.value)
      this.#attached = this.#attached.filter((file) => !attached.includes(file))
      this.#showAttached()
      if (this.#answered === answered) this.answer(undefined)
      if (document.activeElement === this.#page.send) box.focus()
    } catch (error) {
      this.refuse(error)
    } finally {
      this.#sending(false)
    }
  }

  /** The same again, because its answer was lost, has the same nonce. */
  #numbered(said) {
    const known = JSON.stringify(said)
    if (this.#sent.known !== known) this.#sent = { known, nonce: newNonce() }
    return { ...said, nonce: this.#sent.nonce }
  }

  #sending(isSending) {
    this.#isSending = isSending
    this.#page.send.setAttribute('aria-disabled', String(isSending))
  }

  #key(event) {
    // Careful: the Enter that ends an input method's composition (Chinese typing) must not send;
    // Safari tells it only by the key code 229.
    if (event.isComposing || event.keyCode === 229) return
    const { box } = this.#page
    const { key, shiftKey, ctrlKey, altKey, metaKey } = event
    const isPlain = !shiftKey && !ctrlKey && !altKey && !metaKey
    if (isPlain && this.#completion.takes(event)) event.preventDefault()
    else if (key === 'Escape' && this.#answered) this.answer(undefined)
    else if (key === 'Enter' && !shiftKey && !altKey) {
      event.preventDefault()
      void this.#send()
    } else if (isPlain && key === 'ArrowUp' && (box.value === '' || this.#recalled > 0)) {
      event.preventDefault()
      this.#recall(this.#recalled + 1)
    } else if (isPlain && key === 'ArrowDown' && this.#recalled > 0) {
      event.preventDefault()
      this.#recall(this.#recalled - 1)
    }
  }

  #remember(text) {
    this.#recalled = 0
    if (text !== '' && text !== this.#said.at(-1)) this.#said.push(text)
    this.#said = this.#said.slice(-mostRecalled)
  }

  #recall(back) {
    this.#recalled = Math.min(back, this.#said.length)
    this.#write(this.#recalled === 0 ? '' : this.#said.at(-this.#recalled))
  }

  #beginCommand() {
    const { box } = this.#page
    if (!/^\s*[/\uff0f]/.test(box.value)) this.#write(`/${box.value}`)
    box.setSelectionRange(1, 1)
    box.focus()
    this.#completion.look()
  }

  #write(text) {
    this.#page.box.value = text
    this.#changed()
  }

  /** The box is as high as its text, which a reload finds again. */
  #changed() {
    const { box } = this.#page
    box.style.height = 'auto'
    box.style.height = `${box.scrollHeight}px`
    try {
      sessionStorage.setItem(draftKey, box.value)
    } catch {
      // A browser that keeps nothing still sends.
    }
  }

  // === Pictures

  /** Pictures may be pasted, and dropped wherever; a page that follows a dropped one would be lost. */
  #takePictures() {
    this.#page.box.addEventListener('paste', (event) => {
      const { files, types } = event.clipboardData
      // Careful: what is copied from an office has a picture of its text beside it.
      if (files.length === 0 || types.includes('text/plain')) return
      event.preventDefault()
      this.#attach([...files])
    })
    const drag = (event, isOver) => {
      if (!event.dataTransfer.types.includes('Files')) return false
      event.preventDefault()
      this.#page.composer.classList.toggle('dropping', isOver)
      return true
    }
    addEventListener('dragover', (event) => drag(event, true))
    addEventListener('dragleave', (event) => drag(event, false))
    addEventListener('drop', (event) => {
      if (drag(event, false)) this.#attach([...event.dataTransfer.files])
    })
  }

  #attach(files) {
    this.refuse(undefined)
    for (const file of files) {
      if (!/^image\/(?:png|jpeg|webp)$/.test(file.type)) this.refuse('web.image-kind')
      else if (file.size > pictureLimitBytes) this.refuse('web.image-too-large')
      else if (this.#attached.length === mostPictures) this.refuse('web.images-too-many')
      else this.#attached.push(file)
    }
    this.#showAttached()
    this.#page.box.focus()
  }

  #showAttached() {
    const { attached, box } = this.#page
    for (const image of attached.querySelectorAll('img')) URL.revokeObjectURL(image.src)
    attached.hidden = this.#attached.length === 0
    attached.replaceChildren(
      ...this.#attached.map((file) => {
        const remove = tell(make('button', { type: 'button' }), 'web.remove-image')
        label(remove, 'web.remove-image-named', { fileName: file.name })
        remove.addEventListener('click', () => {
          this.#attached = this.#attached.filter((each) => each !== file)
          this.#showAttached()
          box.focus()
        })
        const image = make('img', { src: URL.createObjectURL(file), alt: '' })
        return make('li', {}, image, make('span', { textContent: file.name }), remove)
      }),
    )
  }
}

function recallDraft() {
  try {
    return sessionStorage.getItem(draftKey) ?? ''
  } catch {
    return ''
  }
}
