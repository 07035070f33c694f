import { readFileSync } from 'node:fs'
import { commandLine } from './run.ts'

/** The command line as a process: see `run.ts`. */
process.exitCode = await commandLine(process.argv.slice(2), process.env, {
  read: file => readFileSync(file === '-' ? 0 : file, 'utf8'),
  out: line => void process.stdout.write(`${line}\n`),
  err: line => void process.stderr.write(`${line}\n`)
})
