/**
 * Runs before the first TypeScript file (`node --import`), in plain JavaScript, because an older
 * Node cannot read TypeScript. Where Node is too old it hands the same command over to the Node that
 * came as a platform package, and says what to do where none did. Either way a command that npm
 * started ends when npm is told to.
 *
 * Careful: npm 11 links that Node as `node_modules/.bin/node` and gets here with it; npm 10 removes
 * the link again with the packages of the other platforms, which have a program of the same name.
 */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { constants } from 'node:os'

const wanted = 24

/** Path of the Node in this platform's package, or undefined where there is none. */
function packagedNode() {
  const platform = { linux: 'linux', win32: 'win' }[process.platform]
  const program = process.platform === 'win32' ? 'node.exe' : 'node'
  try {
    const { resolve } = createRequire(import.meta.url)
    return resolve(`node-${platform}-${process.arch}/bin/${program}`)
  } catch {
    return undefined
  }
}

/** Runs this process's command under another Node, and ends as that ends. */
async function handOver(node) {
  const child = spawn(node, [...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // A terminal sends Ctrl+C to both of us; the child decides what becomes of it.
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  }
  const { code, signal } = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })
  process.exit(code ?? 128 + constants.signals[signal])
}

/**
 * npm passes a signal on to the shell that it runs us in, which dies of it and tells nobody: then we
 * would go on as an orphan. Whoever npm started ends with that shell instead.
 */
function endWithShell() {
  const shell = process.ppid
  setInterval(() => {
    if (process.ppid !== shell) process.kill(process.pid, 'SIGTERM')
  }, 250).unref()
}

if (process.env.npm_lifecycle_event !== undefined) endWithShell()
if (Number(process.versions.node.split('.')[0]) < wanted) {
  const node = packagedNode()
  if (node) await handOver(node)
  console.error(
    `Zimagine needs Node ${wanted} or newer, this is Node ${process.versions.node}: install it from https://nodejs.org, then run the same command again.\n` +
      `Zimagine 需要 Node ${wanted} 或更高版本，当前是 Node ${process.versions.node}：请从 https://nodejs.org 安装后重新运行同一命令。`,
  )
  process.exit(1)
}
