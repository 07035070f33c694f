import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import t from 'tap'
import { placeOf, type Rules } from '../../scripts/structure.ts'

const page = readFileSync('docs/architecture.md', 'utf8')
const rooms = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, room = '']) => room)

t.test('every path that the page names exists', async t => {
  const paths = [...page.matchAll(/(?:src|plugins|routes|schemas)\/[\w./-]*\w|`(?:plugins|routes|schemas)`/g)].map(([path]) =>
    path.replaceAll('`', '')
  )
  t.same(
    paths.filter(path => !existsSync(path)),
    []
  )
})

t.test('every room of the source is in the table', async t => {
  const folders = readdirSync('src', { withFileTypes: true }).map(entry => `src/${entry.name.replace(/^config$/, 'config.ts')}`)
  const unnamed = ['plugins', 'routes', 'schemas', ...folders].filter(room => !rooms.includes(room))
  t.same(unnamed, [])
})

t.test('the table has the order that imports are checked against', async t => {
  const { order }: Rules = JSON.parse(readFileSync('scripts/structure.json', 'utf8'))
  const places = rooms.map(room => placeOf(room, order))
  t.notOk(places.includes(-1), 'every room has a place')
  t.same(
    places,
    places.toSorted((a, b) => a - b)
  )
})

t.test('every stage is in the table of stages', async t => {
  const names = globSync('src/*/stages/*.ts').map(file =>
    basename(file, '.ts').replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
  )
  t.same(
    names.filter(name => !page.includes(`\n| ${name} |`)),
    []
  )
})
