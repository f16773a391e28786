/**
 * The words of the page. All catalogues are fetched once, so switching language is instant and
 * touches nothing typed. An element says which words it shows in `data-word`, `data-label`,
 * `data-placeholder` (keys), `data-params` (JSON) or `data-sentences` (a sentence by locale, from
 * the server); `dress` fills them in, again after every switch.
 */

/** Where the chosen locale is remembered. */
const remembered = 'zimagine.locale'

const { locale: offered, catalogues } = await (await fetch('/api/words')).json()
let locale = recall() ?? offered

/** The locales there are, the page's own among them. */
export const locales = Object.keys(catalogues)

/** The locale the page speaks now. */
export const currentLocale = () => locale

/** Makes the page speak another locale and remembers it for the next visit. */
export function speak(wanted) {
  locale = wanted
  try {
    localStorage.setItem(remembered, wanted)
  } catch {
    // A browser that keeps nothing still switches.
  }
  document.documentElement.lang = locale
  dress(document)
}

/** A sentence of the current locale; a parameter whose name ends in `Ms` is read as a duration. */
export function say(key, params = {}) {
  const text = catalogues[locale][key] ?? key
  return text.replaceAll(/\{(\w+)\}/g, (_, name) => worded(name, params[name]))
}

/** Gives an element its words: a key with parameters; `null` empties it. */
export function tell(element, key, params = {}) {
  delete element.dataset.sentences
  element.dataset.params = JSON.stringify(params)
  if (key === null) delete element.dataset.word
  else element.dataset.word = key
  element.textContent = key === null ? '' : say(key, params)
}

/** Gives an element a sentence that the server wrote in every locale. */
export function quote(element, sentences) {
  delete element.dataset.word
  element.dataset.sentences = JSON.stringify(sentences)
  element.textContent = sentences[locale]
}

/** Fills in the words of everything below `root`. */
export function dress(root) {
  for (const element of root.querySelectorAll('[data-word], [data-label], [data-placeholder]')) {
    const { word, label, placeholder, params = '{}' } = element.dataset
    const facts = JSON.parse(params)
    if (word) element.textContent = say(word, facts)
    if (label) element.setAttribute('aria-label', say(label, facts))
    if (placeholder) element.placeholder = say(placeholder, facts)
  }
  for (const element of root.querySelectorAll('[data-sentences]')) {
    element.textContent = JSON.parse(element.dataset.sentences)[locale]
  }
}

function recall() {
  try {
    const kept = localStorage.getItem(remembered)
    return kept !== null && kept in catalogues ? kept : undefined
  } catch {
    return undefined
  }
}

function worded(name, value) {
  if (name.endsWith('Ms')) return duration(value)
  if (name === 'parameters')
    return new Intl.NumberFormat(locale, { notation: 'compact' }).format(value)
  return String(value)
}

/** `1.9s`, `42s`, `2m 5s`: tenths only where they can be read. */
function duration(ms) {
  const unit = (value, name, digits = 0) =>
    new Intl.NumberFormat(locale, {
      style: 'unit',
      unit: name,
      unitDisplay: 'narrow',
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    }).format(value)
  if (ms < 9_950) return unit(ms / 1000, 'second', 1)
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return unit(seconds, 'second')
  return `${unit(Math.floor(seconds / 60), 'minute')} ${unit(seconds % 60, 'second')}`
}
