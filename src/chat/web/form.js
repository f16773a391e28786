/**
 * A form that a command asks for: its fields in a dialog. It stays open with what was filled in when
 * the server refuses, and has it again when it was closed and is asked for anew.
 */
import { base64Of, Refusal } from './api.js'
import { make } from './make.js'
import { say } from './words.js'

/** Asks for forms, one at a time, in the page's dialog. */
export class Forms {
  #page
  #inner
  /** The form that is open, and who wants to know what was filled in. */
  #form
  #onSubmit
  /** What was filled in and not sent, by action. */
  #drafts = new Map()
  #isSending = false

  constructor(page) {
    this.#page = page
    const dialog = page['form-dialog']
    this.#inner = dialog.querySelector('form')
    this.#inner.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#send()
    })
    page['form-close'].addEventListener('click', () => dialog.close())
    dialog.addEventListener('close', () => {
      if (this.#form) this.#drafts.set(this.#form.action, this.#fields())
    })
  }

  /** Asks for a form's fields; `onSubmit({ fields, attachments })` may throw a Refusal. */
  ask(form, onSubmit) {
    this.#form = undefined
    this.#page['form-dialog'].close()
    this.#form = form
    this.#onSubmit = onSubmit
    const draft = this.#drafts.get(form.action) ?? {}
    this.#page['form-title'].textContent = form.title
    this.#page['form-submit'].textContent = form.submitLabel
    this.#page['form-error'].hidden = true
    this.#page['form-fields'].replaceChildren(
      ...form.fields.flatMap((field, k) =>
        fieldOf({ ...field, value: draft[field.name] ?? field.value }, k),
      ),
    )
    this.#page['form-dialog'].showModal()
    this.#inner.querySelector('input, select, textarea')?.focus()
  }

  async #send() {
    if (this.#isSending) return
    const missing = this.#form.fields.find((field) => field.isRequired && !this.#value(field))
    for (const { name } of this.#form.fields) {
      this.#inner.elements[name].ariaInvalid = name === missing?.name ? 'true' : null
    }
    if (missing) {
      this.#refuse(say('web.field-missing', { field: missing.label }))
      this.#inner.elements[missing.name].focus()
      return
    }
    this.#sending(true)
    try {
      const { action } = this.#form
      await this.#onSubmit({ fields: this.#fields(), attachments: await this.#attachments() })
      this.#drafts.delete(action)
      // Careful: the answer may be another form, which is open by now.
      if (this.#form?.action === action) {
        this.#form = undefined
        this.#page['form-dialog'].close()
      }
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error)
      this.#refuse(error instanceof Refusal ? error.message : say('web.broken'))
    } finally {
      this.#sending(false)
    }
  }

  #sending(isSending) {
    this.#isSending = isSending
    this.#page['form-submit'].setAttribute('aria-disabled', String(isSending))
  }

  #refuse(sentence) {
    this.#page['form-error'].textContent = sentence
    this.#page['form-error'].hidden = false
  }

  #value({ name }) {
    const input = this.#inner.elements[name]
    return input.type === 'file' ? input.files[0] : input.value.trim()
  }

  #fields() {
    const said = this.#form.fields.filter((field) => field.kind !== 'picture' && this.#value(field))
    return Object.fromEntries(said.map((field) => [field.name, this.#value(field)]))
  }

  #attachments() {
    const chosen = this.#form.fields.filter(
      (field) => field.kind === 'picture' && this.#value(field),
    )
    return Promise.all(
      chosen.map(async (field) => {
        const file = this.#value(field)
        return { field: field.name, fileName: file.name, base64: await base64Of(file) }
      }),
    )
  }
}

function fieldOf(field, k) {
  const id = `field-${k}`
  const input = inputOf(field)
  Object.assign(input, { id, name: field.name, required: field.isRequired })
  const name = make('label', { htmlFor: id, textContent: field.label })
  if (field.about === undefined) return [name, input]
  input.setAttribute('aria-describedby', `${id}-about`)
  return [
    name,
    make('p', { id: `${id}-about`, className: 'note', textContent: field.about }),
    input,
  ]
}

function inputOf(field) {
  if (field.kind === 'choice') {
    const select = make('select')
    if (!field.isRequired) select.append(make('option', { value: '' }))
    for (const { value, label } of field.choices) {
      select.append(make('option', { value, textContent: label }))
    }
    if (field.value !== undefined) select.value = field.value
    return select
  }
  if (field.kind === 'picture') {
    return make('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp' })
  }
  const input = field.isLong ? make('textarea', { rows: 3, dir: 'auto' }) : make('input')
  return Object.assign(input, { maxLength: field.mostCharacters, value: field.value ?? '' })
}
