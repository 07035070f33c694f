import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/**
 * Measures the structure of the source: loose files, order of imports, cycles, long files, casts and non-null assertions.
 * Prints each figure beside its limit (structure.json) and its target. Exits with 1 when a figure is above its limit.
 * `--update` lowers the limits to today's figures; it never raises one.
 */

/** What structure.json holds. `order` lists folders and files; each imports only what stands before it. */
export interface Rules {
  order: string[]
  tablesOfData: string[]
  limits: Record<string, number>
}

/** A file's imports by path, and the casts and non-null assertions in it. */
export interface SourceFacts {
  imports: string[]
  casts: number
  nonNull: number
}

/** Reads one file. Imports of packages are left out, `as const` is no cast. */
export function readSource(path: string, text: string): SourceFacts {
  const facts: SourceFacts = { imports: [], casts: 0, nonNull: 0 }
  const addImport = (node: ts.Node | undefined): void => {
    if (node && ts.isStringLiteral(node) && node.text.startsWith('.')) facts.imports.push(posix.join(posix.dirname(path), node.text))
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) addImport(node.moduleSpecifier)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) addImport(node.arguments[0])
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) addImport(node.argument.literal)
    else if (ts.isAsExpression(node) && !ts.isConstTypeReference(node.type)) facts.casts++
    else if (ts.isNonNullExpression(node)) facts.nonNull++
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest))
  return facts
}

type Graph = ReadonlyMap<string, readonly string[]>

/** The place of a file in the order: that of the longest entry which is the file or a folder around it. -1: it has none. */
export function placeOf(file: string, order: readonly string[]): number {
  let place = -1
  for (const [i, entry] of order.entries())
    if ((file === entry || file.startsWith(`${entry}/`)) && entry.length > (order[place]?.length ?? 0)) place = i
  return place
}

/** The imports that go against the order, as `importer -> imported`, and the files that have no place in it. */
export function importsOutOfOrder(graph: Graph, order: readonly string[]): string[] {
  const violations: string[] = []
  for (const [file, imports] of graph) {
    const place = placeOf(file, order)
    if (place === -1) violations.push(`${file} has no place in the order`)
    for (const imported of imports) if (placeOf(imported, order) > place) violations.push(`${file} -> ${imported}`)
  }
  return violations
}

/** Groups of files that import each other in a circle (Tarjan's strongly connected components). */
export function cyclesOf(graph: Graph): string[][] {
  const numbers = new Map<string, number>()
  const stack: string[] = []
  const cycles: string[][] = []
  const visit = (file: string): number => {
    const number = numbers.size
    let low = number
    numbers.set(file, number)
    stack.push(file)
    for (const imported of graph.get(file) ?? []) {
      const seen = numbers.get(imported)
      if (seen === undefined) low = Math.min(low, visit(imported))
      else if (stack.includes(imported)) low = Math.min(low, seen)
    }
    if (low === number) {
      const group = stack.splice(stack.indexOf(file))
      if (group.length > 1 || graph.get(file)?.includes(file)) cycles.push(group.sort())
    }
    return low
  }
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file)
  return cycles
}

/** A figure with the places that make it up. `target` is what the design asks for. */
export interface Figure {
  name: string
  value: number
  target: number
  details: string[]
}

const maxLines = 349
const linesIn = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0)

/** All figures of a set of files, by path. */
export function measure(files: ReadonlyMap<string, string>, { order, tablesOfData }: Pick<Rules, 'order' | 'tablesOfData'>): Figure[] {
  const facts = new Map([...files].map(([path, text]) => [path, readSource(path, text)]))
  const graph = new Map([...facts].map(([path, { imports }]) => [path, imports.filter(imported => files.has(imported))]))
  const loose = [...files.keys()].filter(path => /^src\/[^/]+$/.test(path))
  const outOfOrder = importsOutOfOrder(graph, order)
  const cycles = cyclesOf(graph)
  const long = [...files]
    .filter(([path]) => /^(src|plugins)\//.test(path) && !tablesOfData.includes(path))
    .map(([path, text]) => ({ path, lines: linesIn(text) }))
    .filter(({ lines }) => lines > maxLines)
    .sort((a, b) => b.lines - a.lines)
  const countInSrc = (name: string, key: 'casts' | 'nonNull'): Figure => {
    const counts = [...facts].filter(([path]) => path.startsWith('src/')).map(([path, fact]) => ({ path, count: fact[key] }))
    const worst = counts.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count)
    const value = counts.reduce((sum, { count }) => sum + count, 0)
    return { name, value, target: 39, details: worst.map(({ path, count }) => `${count} ${path}`) }
  }
  return [
    { name: 'loose files in src', value: loose.length, target: 3, details: loose },
    { name: 'imports out of order', value: outOfOrder.length, target: 0, details: outOfOrder },
    { name: 'import cycles', value: cycles.length, target: 0, details: cycles.map(group => group.join(', ')) },
    {
      name: `files of more than ${maxLines} lines`,
      value: long.length,
      target: 0,
      details: long.map(({ path, lines }) => `${lines} ${path}`)
    },
    countInSrc('casts in src', 'casts'),
    countInSrc('non-null assertions in src', 'nonNull'),
    { name: 'lines of app.ts', value: linesIn(files.get('src/app.ts') ?? ''), target: 109, details: [] }
  ]
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const rulesFile = fileURLToPath(new URL('structure.json', import.meta.url))
  const rules: Rules = JSON.parse(readFileSync(rulesFile, 'utf8'))
  const files = new Map<string, string>()
  for (const top of ['src', 'plugins', 'routes', 'schemas'])
    for (const entry of readdirSync(`${root}${top}`, { recursive: true, withFileTypes: true })) {
      const path = `${entry.parentPath}/${entry.name}`
      if (entry.isFile() && entry.name.endsWith('.ts')) files.set(relative(root, path), readFileSync(path, 'utf8'))
    }
  const figures = measure(files, rules)
  let failed = false
  for (const { name, value, target, details } of figures) {
    const limit = rules.limits[name] ?? target
    const verdict = value > limit ? 'TOO MANY' : value > target ? `target ${target}` : 'ok'
    console.log(`${name.padEnd(30)} ${String(value).padStart(4)}  limit ${String(limit).padStart(4)}  ${verdict}`)
    if (value > limit || (value > target && process.argv.includes('--details'))) for (const detail of details) console.log(`    ${detail}`)
    failed ||= value > limit
  }
  if (process.argv.includes('--update')) {
    for (const { name, value, target } of figures)
      rules.limits[name] = Math.max(target, Math.min(value, rules.limits[name] ?? Number.POSITIVE_INFINITY))
    writeFileSync(rulesFile, `${JSON.stringify(rules, null, 2)}\n`)
  }
  if (failed) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
