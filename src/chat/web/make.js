/**
 * Elements, made and never parsed: what anybody wrote is only ever set as text, so that it cannot
 * become anything else.
 */

/** An element with these properties and children. */
export function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties)
  element.append(...children)
  return element
}
