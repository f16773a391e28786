/**
 * `imagine`: words in, picture files out. Everything that can be refused without the model is
 * refused before the model is loaded. A picture is saved as soon as it is drawn, under another name
 * first, so that no file is ever half a picture; a file that was there before is replaced.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Words } from '../chat/i18n.ts'
import { type Environment, readConfig } from '../config.ts'
import { UserError } from '../core/errors.ts'
import { encodeImage } from '../engine/image.ts'
import type { PictureSpec } from '../engine/pipeline.ts'
import { Runner } from '../worker/runner.ts'
import { type ImagineArguments, formatOf } from './arguments.ts'
import { Progress } from './progress.ts'

/** The engine's own limit in bytes: a larger file need not be read to be refused. */
const maxImageBytes = 20 * 2 ** 20

/** Where a command runs: its settings, its language, its way out. */
export type Surroundings = {
  readonly environment: Environment
  readonly say: Words
  readonly signal: AbortSignal
}

/**
 * Draws and saves; returns when every picture is on disk.
 *
 * @throws {UserError} for what people can mend, {ConfigError} for settings, the signal's reason
 */
export async function imagine(args: ImagineArguments, around: Surroundings): Promise<void> {
  const { environment, say, signal } = around
  const { isHelp, prompt, imageFile, outFile, model, precision, ...wishes } = args
  if (isHelp) return console.log(say('cli.imagine-help'))
  if (prompt === '') throw new UserError('prompt-missing', {})
  const config = readConfig(environment, { MODEL: model })
  const { seed = randomInt(2 ** 32), count = 1 } = wishes
  const target = outFile ?? `zimagine-${seed}.png`
  const format = formatOf(target)
  await requireWritable(target)
  const image = imageFile === undefined ? undefined : await readImage(imageFile)
  const spec: PictureSpec = { prompt, ...wishes, ...image, seed, count }

  const progress = new Progress(process.stderr)
  const files: string[] = []
  try {
    progress.show(say('cli.loading', { model: basename(config.modelFolder) }))
    const runner = await Runner.start({
      modelFolder: config.modelFolder,
      ...(precision && { precision }),
      signal,
      log: config.logLevel === 'debug' ? (text) => console.error(text) : () => {},
    })
    try {
      const startMs = performance.now()
      progress.show(say('cli.drawing', { count, seed: seeds(seed, count) }))
      for await (const step of runner.generate(spec, { signal })) {
        if (step.kind === 'step') {
          const { index, evaluations } = step
          progress.show(say('cli.step', { index, evaluations }))
        } else {
          const file = count === 1 ? target : numbered(target, step.index + 1)
          await save(file, await encodeImage(step.pixels, format))
          files.push(file)
        }
      }
      if (files.length !== count) throw new Error(`internal: ${files.length} of ${count} pictures`)
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
      progress.end()
      console.log(
        say('cli.saved', { count, files: listed(files), seed: seeds(seed, count), seconds }),
      )
    } finally {
      await runner.close()
    }
  } catch (error) {
    progress.end()
    if (files.length > 0) {
      console.error(say('cli.kept', { count: files.length, files: listed(files) }))
    }
    throw error
  }
}

/** `cat-2.png` of `cat.png`. */
function numbered(file: string, number: number): string {
  const extension = extname(file)
  return `${file.slice(0, -extension.length)}-${number}${extension}`
}

/** Picture k has seed + k - 1, which starts again at 0 after the last seed there is. */
function seeds(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${(first + count - 1) % 2 ** 32}`
}

function listed(files: readonly string[]): string {
  return files.join(', ')
}

/** Puts a whole file in place at once. @throws {UserError} output-unwritable */
async function save(file: string, bytes: Uint8Array): Promise<void> {
  const unfinished = join(dirname(file), `.${randomUUID()}${extname(file)}`)
  try {
    await writeFile(unfinished, bytes, { flag: 'wx' })
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw new UserError('output-unwritable', { file, reason: reasonOf(error) }, { cause: error })
  }
}

/** Minutes of drawing should not end in a folder that was never there. */
async function requireWritable(file: string): Promise<void> {
  try {
    await access(dirname(file), constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new UserError('output-unwritable', { file, reason: reasonOf(error) }, { cause: error })
  }
}

/** Reads no more than it must of a file that is too large, or of a device that never ends. */
async function readImage(file: string): Promise<{ image: Uint8Array; imageName: string }> {
  try {
    const { size } = await stat(file)
    const chunks: Buffer[] = await createReadStream(file, { end: maxImageBytes }).toArray()
    const image = Buffer.concat(chunks)
    if (image.length <= maxImageBytes) return { image, imageName: basename(file) }
    const got = Math.max(size, image.length)
    throw new UserError('image-too-large', { limit: maxImageBytes, got, unit: 'bytes' })
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError('image-unreadable', { file, reason: reasonOf(error) }, { cause: error })
  }
}

/** `ENOENT` and the like, which the locales know. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}
