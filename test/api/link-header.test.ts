import t from 'tap'
import { linkHeader, type PagePosition } from '../../src/api/link-header.ts'

const links = (position: Partial<PagePosition>) =>
  linkHeader({ url: '/users', offset: 0, limit: 20, rows: 20, total: 50, hasNext: false, ...position })

t.test('the only page has no links', async t => {
  t.equal(links({ rows: 7, total: 7 }), undefined)
  t.equal(links({ total: undefined }), undefined, 'also where the upstream does not count')
})

t.test('the first page links to the next one', async t => {
  t.equal(links({}), '</users?limit=20&offset=20>; rel="next"')
})

t.test('a page in the middle links to the next, the previous and the first', async t => {
  t.equal(
    links({ offset: 20 }),
    '</users?limit=20&offset=40>; rel="next", </users?limit=20&offset=0>; rel="prev", </users?limit=20&offset=0>; rel="first"'
  )
})

t.test('the last page has no next one', async t => {
  t.equal(links({ offset: 40, rows: 10 }), '</users?limit=20&offset=20>; rel="prev", </users?limit=20&offset=0>; rel="first"')
})

t.test('a page that ends with the last row has no next one', async t => {
  t.notMatch(links({ offset: 20, rows: 30 }), /rel="next"/)
  t.match(links({ offset: 20, rows: 29 }), /rel="next"/)
})

t.test('an empty page has no next one, whatever the upstream counts', async t => {
  t.equal(links({ offset: 0, rows: 0 }), undefined)
})

t.test('where the upstream does not count, the next page is the one that was found', async t => {
  t.equal(links({ total: undefined, hasNext: true }), '</users?limit=20&offset=20>; rel="next"')
})

t.test('the previous page begins no earlier than the first row', async t => {
  t.match(links({ offset: 5, limit: 20 }), /<\/users\?limit=20&offset=0>; rel="prev"/)
})

t.test('links keep the query of the request, without its own paging', async t => {
  t.equal(links({ url: '/users?userName=ad&limit=5&offset=3&x=1' }), '</users?userName=ad&x=1&limit=20&offset=20>; rel="next"')
})

t.test('a URL cannot end the bracket of its link', async t => {
  t.equal(links({ url: '/users?a=>,<"' }), '</users?a=%3E,%3C%22&limit=20&offset=20>; rel="next"')
})

t.test('a limit of nothing becomes one row', async t => {
  t.match(links({ limit: 0, rows: 1 }), /limit=1&offset=1>; rel="next"/)
})
