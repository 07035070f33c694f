import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Mutation testing, room by room (mutate.json): Stryker changes one thing in a source file at a time and runs the room's unit tests.
 * Prints killed and total of each room and the mutants that survived. Exits with 1 when a room is below `minScore`, or when an accepted survivor
 * is killed or gone by now. Arguments name rooms; without any, all run.
 */

/** A mutant that no test can or should kill. */
export interface AcceptedSurvivor {
  file: string
  /** The line before the change, and what the changed part becomes. */
  line: string
  replacement: string
  reason: string
}

export interface MutationRules {
  /** Per cent of a room's mutants that its tests kill. */
  minScore: number
  /** Paths, with `*`. */
  rooms: Record<string, { sources: string[]; tests: string[] }>
  accepted: AcceptedSurvivor[]
}

/** What became of one mutant. */
export interface Mutant {
  file: string
  lineNumber: number
  /** The whole line before the change, trimmed. */
  line: string
  /** What changes, and into what. */
  original: string
  replacement: string
  killed: boolean
}

export interface RoomScore {
  killed: number
  total: number
  /** Per cent. Accepted survivors count as survivors. */
  score: number
  survivors: (Mutant & { reason?: string })[]
  /** Entries of accepted survivors without a surviving mutant. */
  stale: AcceptedSurvivor[]
}

/** The score of a room. */
export function scoreOf(mutants: readonly Mutant[], accepted: readonly AcceptedSurvivor[]): RoomScore {
  const reasonOf = (mutant: Mutant) =>
    accepted.find(entry => entry.file === mutant.file && entry.line === mutant.line && entry.replacement === mutant.replacement)
  const survivors = mutants.filter(({ killed }) => !killed).map(mutant => ({ ...mutant, reason: reasonOf(mutant)?.reason }))
  const used = new Set(survivors.map(reasonOf))
  const files = new Set(mutants.map(({ file }) => file))
  const killed = mutants.length - survivors.length
  return {
    killed,
    total: mutants.length,
    score: mutants.length === 0 ? 0 : (killed / mutants.length) * 100,
    survivors,
    stale: accepted.filter(entry => files.has(entry.file) && !used.has(entry))
  }
}

const root = fileURLToPath(new URL('..', import.meta.url))
const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim()

/** Stryker's report, as far as it is read. Lines and columns begin with 1. */
export interface MutationReport {
  files: Record<
    string,
    {
      source: string
      mutants: {
        location: Record<'start' | 'end', { line: number; column: number }>
        replacement?: string
        status: string
      }[]
    }
  >
}

/** The mutants of a report that were tried. One whose tests end with an error or not in time is killed. */
export const mutantsIn = ({ files }: MutationReport): Mutant[] =>
  Object.entries(files).flatMap(([file, { source, mutants }]) => {
    const lines = source.split('\n')
    return mutants
      .filter(({ status }) => status !== 'Ignored' && status !== 'CompileError')
      .map(({ location: { start, end }, replacement = '', status }) => {
        const changed = lines.slice(start.line - 1, end.line)
        changed[changed.length - 1] = changed.at(-1)?.slice(0, end.column - 1) ?? ''
        changed[0] = changed[0]?.slice(start.column - 1) ?? ''
        return {
          file,
          lineNumber: start.line,
          line: lines[start.line - 1]?.trim() ?? '',
          original: oneLine(changed.join('\n')),
          replacement: oneLine(replacement),
          killed: ['Killed', 'Timeout', 'RuntimeError'].includes(status)
        }
      })
  })

/** Runs the mutants of a room. Throws when the tests fail without a change, or a path matches nothing. */
function run({ sources, tests }: { sources: string[]; tests: string[] }): Mutant[] {
  for (const pattern of [...sources, ...tests])
    if (globSync(pattern, { cwd: root }).length === 0) throw new Error(`mutate.json: ${pattern} matches no file`)
  const folder = mkdtempSync(join(tmpdir(), 'voxgate-mutate-'))
  const [configFile, reportFile] = [join(folder, 'stryker.json'), join(folder, 'report.json')]
  try {
    const shared = JSON.parse(readFileSync(new URL('stryker.json', import.meta.url), 'utf8'))
    const tap = { testFiles: tests, nodeArgs: ['-r', '{{hookFile}}', '{{testFile}}'], forceBail: true }
    writeFileSync(
      configFile,
      JSON.stringify({
        ...shared,
        ...(process.env.MUTATE_CONCURRENCY ? { concurrency: Number(process.env.MUTATE_CONCURRENCY) } : {}),
        mutate: sources,
        tap,
        jsonReporter: { fileName: reportFile }
      })
    )
    // The tap runner starts `node`, which has to be this one.
    const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` }
    execFileSync(process.execPath, ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run', configFile], {
      cwd: root,
      env,
      stdio: 'inherit'
    })
    return mutantsIn(JSON.parse(readFileSync(reportFile, 'utf8')))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function main(names: string[]): void {
  const rules: MutationRules = JSON.parse(readFileSync(new URL('mutate.json', import.meta.url), 'utf8'))
  const started = performance.now()
  for (const name of names.length > 0 ? names : Object.keys(rules.rooms)) {
    const room = rules.rooms[name]
    if (!room) throw new Error(`no room ${name}; there are ${Object.keys(rules.rooms).join(', ')}`)
    const from = performance.now()
    const { killed, total, score, survivors, stale } = scoreOf(run(room), rules.accepted)
    const failed = score < rules.minScore || stale.length > 0
    console.log(
      `${name.padEnd(16)} ${killed}/${total} killed, ${score.toFixed(1)} % in ${Math.round((performance.now() - from) / 1000)} s${score < rules.minScore ? ' TOO FEW' : ''}`
    )
    for (const { file, lineNumber, original, replacement, reason } of survivors)
      console.log(
        `  ${reason ? 'accepted' : 'survived'} ${file}:${lineNumber}  ${original}  ->  ${replacement}${reason ? `  (${reason})` : ''}`
      )
    for (const { file, line, replacement } of stale) console.log(`  no survivor any more: ${file}  ${line}  ->  ${replacement}`)
    if (failed) process.exitCode = 1
  }
  console.log(`${Math.round((performance.now() - started) / 1000)} s`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.slice(2))
