import { readFileSync, writeFileSync } from 'node:fs'
import { documentText } from './document.ts'

/** Writes `openapi.json` (`npm run openapi`); with `--check` only tells, by its exit status, whether it is current. */
const file = new URL('../../openapi.json', import.meta.url)
const text = await documentText()
if (process.argv.includes('--check')) process.exitCode = readFileSync(file, 'utf8') === text ? 0 : 1
else writeFileSync(file, text)
