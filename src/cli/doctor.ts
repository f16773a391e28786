/**
 * `doctor`: a line for everything that was looked at, what is wrong with its cure, or all of it as JSON
 * for a report. Secrets are struck out of either.
 */
import { parseArgs } from 'node:util'
import { type Words, errorSentence } from '../chat/i18n.ts'
import { type Config, ConfigError, readConfig } from '../config.ts'
import { UserError } from '../core/errors.ts'
import { strikeOut } from '../log.ts'
import { type Finding, examine } from '../ops/doctor.ts'
import type { Surroundings } from './imagine.ts'

/** A line of the report, as JSON has it. */
type Line = { readonly check: string; readonly isOk: boolean; readonly text: string }

/** Looks and tells; @returns whether all is well. @throws {UserError} usage-wrong */
export async function runDoctor(
  args: readonly string[],
  { environment, say, signal }: Surroundings,
): Promise<boolean> {
  const { isJson, mustDraw } = readArguments(args)
  const lines: Line[] = []
  let secrets: readonly string[] = []
  const tell = (line: Line): void => {
    const { check, isOk, text } = { ...line, text: strikeOut(secrets)(line.text) }
    lines.push({ check, isOk, text })
    const mark = say(isOk ? 'doctor.fine' : 'doctor.failed')
    const name = say('doctor.check', { check })
    if (!isJson) console.log(say('doctor.line', { mark, name, text }))
  }
  const config = readSettings(environment, say, tell)
  if (config !== undefined) {
    secrets = config.secrets
    for await (const finding of examine({ config, mustDraw, signal })) {
      tell({ check: finding.check, isOk: finding.isOk, text: textOf(finding, say) })
    }
  }
  const failed = lines.filter(({ isOk }) => !isOk).length
  if (isJson) console.log(JSON.stringify({ isOk: failed === 0, checks: lines }, undefined, 2))
  else console.log(say('doctor.conclusion', { failed }))
  return failed === 0
}

/** The settings; every mistake in them is a line of its own, and without them nothing can be seen. */
function readSettings(
  environment: Surroundings['environment'],
  say: Words,
  tell: (line: Line) => void,
): Config | undefined {
  try {
    const config = readConfig(environment)
    tell({ check: 'settings', isOk: true, text: say('doctor.settings') })
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { variable, got } of error.mistakes) {
      tell({ check: 'settings', isOk: false, text: say(`config.${variable}`, { got }) })
    }
    return undefined
  }
}

function textOf(finding: Finding, say: Words): string {
  if (finding.isOk) return say(`doctor.${finding.check}`, finding.facts)
  const { error } = finding
  if (error instanceof UserError) return errorSentence(say, error)
  return say('cli.internal', { message: error instanceof Error ? error.message : String(error) })
}

function readArguments(args: readonly string[]): { isJson: boolean; mustDraw: boolean } {
  const usage = 'npm run doctor -- [--json] [--draw]'
  const flag = { type: 'boolean' } as const
  const options = { json: flag, draw: flag }
  const { values, tokens } = parseArgs({
    args: [...args],
    options,
    strict: false, // Not strict: Node's own complaints are English.
    tokens: true,
    allowPositionals: true,
  })
  const isKnown = tokens.every(
    (token) => token.kind === 'option' && Object.hasOwn(options, token.name),
  )
  if (!isKnown) throw new UserError('usage-wrong', { usage })
  return { isJson: values.json === true, mustDraw: values.draw === true }
}
