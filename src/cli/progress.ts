/**
 * How far a command is: one line that changes in place on a terminal, a line for each change where
 * the output is kept.
 */
import type { WriteStream } from 'node:tty'

/** The current line of progress on a stream. */
export class Progress {
  readonly #stream: WriteStream

  constructor(stream: WriteStream) {
    this.#stream = stream
  }

  /** Replaces the current line. */
  show(text: string): void {
    this.#stream.write(this.#stream.isTTY ? `${eraseLine}${text}` : `${text}\n`)
  }

  /** Leaves the line clean for what comes next. */
  end(): void {
    if (this.#stream.isTTY) this.#stream.write(eraseLine)
  }
}

const eraseLine = '\r\x1b[2K'
