/**
 * A form that a command asks for: its fields in a dialog. It stays open with what was filled in when
 * the server refuses.
 */
import { Refusal } from './api.js'
import { base64Of } from './composer.js'
import { make } from './talk.js'
import { say } from './words.js'

/** Asks for a form's fields; `onSubmit(fields, attachments)` may throw a Refusal. */
export function askForm(page, form, onSubmit) {
  const dialog = page['form-dialog']
  const inner = dialog.querySelector('form')
  page['form-title'].textContent = form.title
  page['form-submit'].textContent = form.submitLabel
  page['form-error'].hidden = true
  page['form-fields'].replaceChildren(...form.fields.flatMap((field, k) => fieldOf(field, k)))

  inner.onsubmit = async (event) => {
    event.preventDefault()
    const missing = form.fields.find(({ name, isRequired }) => isRequired && !valueOf(inner, name))
    if (missing) {
      refuse(page, say('web.field-missing', { field: missing.label }))
      inner.elements[missing.name].focus()
      return
    }
    page['form-submit'].setAttribute('aria-disabled', 'true')
    try {
      await onSubmit(fieldsOf(inner, form), await attachmentsOf(inner, form))
      dialog.close()
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error)
      refuse(page, error instanceof Refusal ? error.message : say('web.broken'))
    } finally {
      page['form-submit'].removeAttribute('aria-disabled')
    }
  }
  dialog.querySelector('button[value="cancel"]').onclick = () => dialog.close()
  dialog.showModal()
}

function refuse(page, sentence) {
  page['form-error'].hidden = false
  page['form-error'].textContent = sentence
}

function fieldOf(field, k) {
  const id = `field-${k}`
  const label = make('label', { htmlFor: id, textContent: field.label })
  const input = inputOf(field)
  input.id = id
  input.name = field.name
  input.required = field.isRequired
  if (field.about === undefined) return [label, input]
  const about = make('p', { id: `${id}-about`, className: 'note', textContent: field.about })
  input.setAttribute('aria-describedby', about.id)
  return [label, input, about]
}

function inputOf(field) {
  if (field.kind === 'choice') {
    const select = make('select')
    if (!field.isRequired) select.append(make('option', { value: '', textContent: '' }))
    for (const { value, label } of field.choices) {
      select.append(make('option', { value, textContent: label }))
    }
    if (field.value !== undefined) select.value = field.value
    return select
  }
  if (field.kind === 'picture') {
    return make('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp' })
  }
  const input = field.isLong ? make('textarea', { rows: 3 }) : make('input')
  input.maxLength = field.mostCharacters
  input.value = field.value ?? ''
  return input
}

function valueOf(inner, name) {
  const input = inner.elements[name]
  return input.type === 'file' ? input.files[0] : input.value.trim()
}

function fieldsOf(inner, { fields }) {
  const said = fields.filter(({ name, kind }) => kind !== 'picture' && valueOf(inner, name))
  return Object.fromEntries(said.map(({ name }) => [name, valueOf(inner, name)]))
}

function attachmentsOf(inner, { fields }) {
  const chosen = fields.filter(({ name, kind }) => kind === 'picture' && valueOf(inner, name))
  return Promise.all(
    chosen.map(async ({ name }) => {
      const file = valueOf(inner, name)
      return { fileName: file.name, base64: await base64Of(file) }
    }),
  )
}
