/**
 * A short round of the soak: real processes, killed without a word while they draw, store and
 * deliver. Every figure of it is a fact that must hold; what is a matter of time is left to
 * `npm run soak`.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const skip = process.platform === 'linux' ? false : 'reads processes from /proc'
const root = fileURLToPath(new URL('..', import.meta.url))

describe('three rounds of kill -9', { skip }, () => {
  it('lose no job, charge none twice and leave no process', () => {
    const program = ['--import', './src/node-version.mjs', 'bench/soak.ts']
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [...program, '--quick', '--only', 'kills', '--rounds', '3'],
      { cwd: root, encoding: 'utf8', timeout: 240_000 },
    )

    for (const line of stdout
      .split('\n')
      .filter((each) => /^kills .*(?:hits|accepted)/.test(each))) {
      console.log(`measured: soak, ${line.replaceAll(/ {2,}/g, ' ')}`)
    }
    assert.equal(status, 0, `${stdout}\n${stderr}`)
  })
})
