/**
 * The words of the page. All catalogues are fetched once, so switching language is instant and
 * touches nothing typed. An element says which words it shows in `data-word`, `data-label`,
 * `data-placeholder` (keys) and `data-params` (JSON); `dress` fills them in, again after every
 * switch.
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

/** A sentence of the current locale. */
export function say(key, params = {}) {
  const text = catalogues[locale][key] ?? key
  return text.replaceAll(/\{(\w+)\}/g, (_, name) => worded(name, params[name]))
}

/** Gives an element its words: a key with parameters; `null` empties it. */
export function tell(element, key, params = {}) {
  element.dataset.params = JSON.stringify(params)
  if (key === null) delete element.dataset.word
  else element.dataset.word = key
  element.textContent = key === null ? '' : say(key, params)
  return element
}

/** Gives an element its name for those who do not see it. */
export function label(element, key, params = {}) {
  element.dataset.params = JSON.stringify(params)
  element.dataset.label = key
  element.setAttribute('aria-label', say(key, params))
  return element
}

/** Fills in the words of everything below `root`. */
export function dress(root) {
  for (const element of root.querySelectorAll('[data-word], [data-label], [data-placeholder]')) {
    const { word, label: name, placeholder, params = '{}' } = element.dataset
    const facts = JSON.parse(params)
    if (word) element.textContent = say(word, facts)
    if (name) element.setAttribute('aria-label', say(name, facts))
    if (placeholder) element.placeholder = say(placeholder, facts)
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
  if (name !== 'parameters') return String(value)
  return new Intl.NumberFormat(locale, { notation: 'compact' }).format(value)
}
