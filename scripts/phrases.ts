import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * Finds banned phrases in comments, strings and documentation (phrases.json says what to write in their place).
 * Exits with 1 when there are more than `limit`. `--update` lowers the limit to today's number; it never raises it.
 */

export interface PhraseRules {
  /** A phrase and what to write in its place. */
  phrases: Record<string, string>
  /** Lines of a file that may hold a phrase, by a part of their text. */
  allowed: { file: string; text: string; reason: string }[]
  limit: number
}

export interface Occurrence {
  line: number
  phrase: string
  text: string
}

/** The banned phrases in a text. A phrase may be broken across two lines, of comments too; letters of any case. */
export function findPhrases(text: string, phrases: readonly string[]): Occurrence[] {
  const lines = text.split('\n')
  return phrases
    .flatMap(phrase => [
      ...text.matchAll(new RegExp(`\\b${phrase.replaceAll(' ', '(?:[ \\t]|\\n[ \\t]*(?:\\*|//|#|>)?[ \\t]*)+')}\\b`, 'gi'))
    ])
    .map(match => {
      const line = text.slice(0, match.index).split('\n').length
      return { line, phrase: match[0].replace(/\s*\n[\s*/#>]*/, ' ').toLowerCase(), text: lines[line - 1]?.trim() ?? '' }
    })
    .sort((a, b) => a.line - b.line)
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const rulesFile = fileURLToPath(new URL('phrases.json', import.meta.url))
  const rules: PhraseRules = JSON.parse(readFileSync(rulesFile, 'utf8'))
  const verbose = process.argv.includes('--details')
  let total = 0
  // Neither generated files nor those that quote the phrases.
  const left = [':!openapi.json', ':!package-lock.json', ':!scripts/phrases*', ':!test/scripts/phrases*', ':!test/fixtures', ':!LICENSE']
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z', '.', ...left], { cwd: root, encoding: 'utf8' })
  const counts: [string, Occurrence[]][] = []
  for (const file of listed.split('\0').filter(name => name !== '')) {
    const allowed = rules.allowed.filter(entry => entry.file === file)
    const occurrences = findPhrases(readFileSync(`${root}${file}`, 'utf8'), Object.keys(rules.phrases)).filter(
      ({ text }) => !allowed.some(entry => text.includes(entry.text))
    )
    total += occurrences.length
    if (occurrences.length > 0) counts.push([file, occurrences])
  }
  const failed = total > rules.limit
  console.log(`banned phrases: ${total}, limit ${rules.limit}`)
  if (failed || verbose)
    for (const [file, occurrences] of counts)
      for (const { line, phrase, text } of occurrences) console.log(`  ${file}:${line} "${phrase}": ${text.slice(0, 160)}`)
  if (process.argv.includes('--update'))
    writeFileSync(rulesFile, `${JSON.stringify({ ...rules, limit: Math.min(total, rules.limit) }, null, 2)}\n`)
  if (failed) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
