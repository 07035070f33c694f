#!/usr/bin/env node
// The command line, through the starter that finds a Node which runs TypeScript.
process.argv.splice(2, 0, 'src/cli/main.ts')
await import('./run.js')
