import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { startService } from '../support.ts'

/** The document and its page as they are sent: compressed, with an ETag, and shaped for Swagger UI. */

const adminToken = 'fM3vQb7zZ1kX9sLw2Rt8YpHd5Nc0GjUe4VaKi6Wo='

t.test('the document and the page are sent compressed, and are the same in every encoding', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  for (const url of ['/openapi.json', '/docs/json', '/docs/static/swagger-ui-bundle.js', '/docs/static/theme/page.js']) {
    const get = (encoding?: string) => service.app.inject({ url, headers: encoding === undefined ? {} : { 'accept-encoding': encoding } })
    const plain = await get()
    t.equal(plain.headers['content-encoding'], undefined)
    // Twice: what is kept is what was sent first.
    for (let i = 0; i < 2; i++) {
      const brotli = await get('gzip;q=0.5, br')
      t.equal(brotli.headers['content-encoding'], 'br')
      t.ok(brotliDecompressSync(brotli.rawPayload).equals(plain.rawPayload), `${url} in brotli`)
      const gzip = await get('gzip, br;q=0')
      t.equal(gzip.headers['content-encoding'], 'gzip')
      t.ok(gunzipSync(gzip.rawPayload).equals(plain.rawPayload), `${url} in gzip`)
      t.match(gzip.headers.vary, /accept-encoding/i)
    }
  }
})

t.test('who has the current version gets 304 without a body', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  for (const url of ['/openapi.json', '/docs/', '/docs/json', '/docs/static/swagger-ui.css']) {
    const headers = { 'accept-encoding': 'br' }
    const first = await service.app.inject({ url, headers })
    t.equal(first.statusCode, 200)
    t.equal(first.headers['cache-control'], 'no-cache')
    const again = await service.app.inject({ url, headers: { ...headers, 'if-none-match': `"other", W/${first.headers.etag}` } })
    t.equal(again.statusCode, 304, url)
    t.equal(again.body, '')
    t.equal(again.headers.etag, first.headers.etag)
    t.equal((await service.app.inject({ url, headers: { ...headers, 'if-none-match': '"other"' } })).statusCode, 200)
  }
})

t.test('responses of the API are never compressed', async t => {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  const { status, headers } = await service.call('GET', '/call-sessions?limit=100', undefined, {
    headers: { 'accept-encoding': 'br, gzip' }
  })
  t.equal(status, 200)
  t.equal(headers['content-encoding'], undefined)
})

t.test('a query does not change the page that others get', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const odd = await service.app.inject('/docs?x=/')
  const usual = await service.app.inject('/docs')
  t.match(usual.body, /"\/docs\/static\/swagger-ui-bundle\.js"/)
  t.not(odd.body, usual.body)
})

t.test('the copy for Swagger UI is OpenAPI 3.0: no list of types, no null, no list of examples', async t => {
  const service = await startService({ env: { ADMIN_TOKEN: adminToken } })
  t.teardown(() => service.close())
  const page = (await service.app.inject('/docs/json')).json()
  t.match(page.openapi, /^3\.0\./)
  const wrong: string[] = []
  const look = (at: unknown, where: string) => {
    if (typeof at !== 'object' || at === null) return
    const { type, examples, exclusiveMinimum } = at as Record<string, unknown>
    if (Array.isArray(type) && !where.endsWith('/properties')) wrong.push(`${where}: ${type}`)
    if (type === 'null' || Array.isArray(examples) || typeof exclusiveMinimum === 'number') wrong.push(where)
    for (const [key, value] of Object.entries(at)) if (key !== 'example' && key !== 'enum') look(value, `${where}/${key}`)
  }
  look(page.paths, '')
  look(page.components, '')
  t.strictSame(wrong, [])
  t.equal((await service.app.inject('/openapi.json')).json().openapi, '3.1.0')
})

t.test('on the page nothing optional is filled in, but for what belongs to the example call', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const { paths } = (await service.app.inject('/docs/json')).json()
  const sent = paths['/call-sessions'].get.parameters.filter(({ $ref, example, content }: Record<string, unknown>) => {
    const [media] = Object.values((content ?? {}) as Record<string, { example?: unknown }>)
    return $ref === undefined && (example !== undefined || media?.example !== undefined)
  })
  t.strictSame(sent, [])
  const form = paths['/call-lists'].post.requestBody.content['multipart/form-data'].schema
  const filled = Object.entries(form.properties as Record<string, { example?: unknown; default?: unknown }>)
    .filter(([name, field]) => !form.required.includes(name) && (field.example !== undefined || field.default !== undefined))
    .map(([name]) => name)
  t.strictSame(filled, [])
})

t.test('the scheme of administrators is in the document only where their routes are', async t => {
  const without = await startService()
  t.teardown(() => without.close())
  const schemes = async (service: typeof without) =>
    Object.keys((await service.app.inject('/openapi.json')).json().components.securitySchemes)
  t.same(await schemes(without), ['apiKey'])
  const withAdmin = await startService({ env: { ADMIN_TOKEN: adminToken } })
  t.teardown(() => withAdmin.close())
  t.same(await schemes(withAdmin), ['apiKey', 'adminToken'])
})
