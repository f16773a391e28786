/** Moments in words of a locale; in UTC, since nobody says where a member is. */
import type { Locale } from './i18n.ts'

const formats = new Map<Locale, Intl.DateTimeFormat>()

/** A date and the time of day. */
export function momentText(locale: Locale, atMs: number): string {
  let format = formats.get(locale)
  if (format === undefined) {
    const styles = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const
    format = new Intl.DateTimeFormat(locale, styles)
    formats.set(locale, format)
  }
  return `${format.format(atMs)} UTC`
}
