#!/usr/bin/env node
// Starts a TypeScript file of the project on a Node that runs TypeScript: this one, or the one in node_modules.
// Plain JavaScript of a few lines, because an old Node has to be able to read it.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const [file = 'src/server.ts', ...args] = process.argv.slice(2)
const target = fileURLToPath(new URL(`../${file}`, import.meta.url))
const bundled = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

// What is compiled once is not compiled at every start; where the folder cannot be written, it is.
const compiled = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))

if (process.features.typescript) {
  process.argv.splice(1, 2, target)
  module.enableCompileCache?.(compiled)
  await import(pathToFileURL(target).href)
  module.flushCompileCache?.()
} else if (existsSync(bundled) && !process.env.VOXGATE_RESPAWNED) {
  const child = spawn(bundled, [target, ...args], {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: compiled, ...process.env, VOXGATE_RESPAWNED: '1' }
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
} else {
  console.error(
    `Voxgate needs Node 22.18 or newer; this is ${process.version}. Run "npm ci" (it brings one along on Linux), or install a newer Node.`
  )
  process.exit(1)
}
