/**
 * Runs before the first TypeScript file (`node --import`): a Node that cannot read TypeScript must
 * be told apart from a broken program. Plain JavaScript for that reason. npm scripts find the Node
 * that comes with the package on Linux and Windows; elsewhere the system's own is used.
 */
const wanted = 24
const found = Number(process.versions.node.split('.')[0])
if (found < wanted) {
  console.error(
    `Zimagine needs Node ${wanted} or newer, this is Node ${process.versions.node}: install it from https://nodejs.org, then run the same command again.\n` +
      `Zimagine 需要 Node ${wanted} 或更高版本，当前是 Node ${process.versions.node}：请从 https://nodejs.org 安装后重新运行同一命令。`,
  )
  process.exit(1)
}
