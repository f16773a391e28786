/**
 * What benchmarks print: medians with their spread, in plain aligned tables. The middle of several
 * repeats, never the best of them; the spread says how quiet the machine was.
 */

/** The middle of `values`, or the mean of the two in the middle; at least one value. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('internal: no values to take the median of')
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2
}

/** Each of `values` divided by the one of `others` that was measured in the same round. */
export function ratios(values: readonly number[], others: readonly number[]): number[] {
  if (values.length !== others.length) throw new Error('internal: ratios of unequal rounds')
  return values.map((value, round) => value / others[round]!)
}

/** Three significant digits, never an exponent. */
export function digits(value: number): string {
  const shown = value.toPrecision(3)
  return shown.includes('e') ? String(Math.round(value)) : shown
}

/** The median with the smallest and the largest, as in `0.512 (0.498 to 0.561)`. */
export function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)]
  return `${digits(median(values))} (${digits(least)} to ${digits(most)})`
}

/** Rows under a head, columns as wide as their widest cell; the first column to the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? ''
        return column === 0 ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('   ')
      .trimEnd()
  return all.map(line).join('\n')
}
