import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { documentText } from '../src/openapi/document.ts'
import { problemTypes } from '../src/problems/problem.ts'
import { startService } from './support.ts'

t.test('openapi.json is current', async t => {
  const committed = readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')
  t.ok(committed === (await documentText()), 'if not: npm run openapi')
})

t.test('the document', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const answer = await service.app.inject('/openapi.json')
  t.equal(answer.statusCode, 200)
  const document = answer.json()
  t.equal(document.openapi, '3.1.0')
  t.same(document.components.securitySchemes.apiKey.scheme, 'bearer')
  const text = answer.body
  for (const mark of ['definition-', 'x-problems']) t.notOk(text.includes(mark), `no ${mark} is left over`)
  t.same(
    [...text.matchAll(/"\$ref":"([^"]+)"/g)].filter(([, ref]) => !resolves(document, ref!)).map(([, ref]) => ref),
    [],
    'every reference leads somewhere'
  )
  const used = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name))
  t.same(
    Object.keys(document.components.schemas).filter(name => !used.has(name)),
    [],
    'no noun is without use'
  )
})

const resolves = (document: unknown, ref: string): boolean =>
  ref
    .replace('#/', '')
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document) !== undefined

t.test('each kind of problem has a page', async t => {
  const service = await startService()
  t.teardown(() => service.close())
  const index = await service.app.inject('/problems')
  for (const [slug, { title }] of Object.entries(problemTypes)) {
    const page = await service.app.inject(`/problems/${slug}`)
    t.equal(page.statusCode, 200)
    t.ok(page.body.includes(`<code>${slug}</code>`) && index.body.includes(`/problems/${slug}`), `${slug}: ${title}`)
    t.match(page.headers['content-security-policy'], /default-src 'self'/)
  }
  for (const none of ['nothing', 'constructor', '__proto__']) t.equal((await service.app.inject(`/problems/${none}`)).statusCode, 404)
})

const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path))
const noBrowser = browser ? false : 'Chromium is not installed (Debian: apt-get install chromium)'
if (noBrowser && process.env.CI === 'true') t.fail(noBrowser)

t.test('Swagger UI in a browser', { skip: noBrowser }, async t => {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  const origin = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const profile = mkdtempSync(join(tmpdir(), 'voxgate-chromium-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browser,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync'
    ],
    viewport: { width: 1280, height: 1000 }
  })
  t.teardown(async () => {
    await context.close()
    rmSync(profile, { recursive: true, force: true })
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(error.message))
  await page.goto(`${origin}/docs`)
  await page.getByRole('heading', { name: /^Voxgate/ }).waitFor()

  await page.getByRole('button', { name: 'Authorize' }).first().click()
  // Beside it stands the scheme of administrators, with a token of its own.
  const scheme = page.locator('.auth-container').filter({ has: page.getByRole('heading', { name: /^apiKey/ }) })
  await scheme.getByLabel('auth-bearer-value').fill(service.tenants[0]!.key)
  await scheme.getByRole('button', { name: 'Apply credentials' }).click()
  await page.getByRole('button', { name: 'Close' }).first().click()
  await page.reload()
  await page.getByRole('heading', { name: /^Voxgate/ }).waitFor()
  t.equal(await page.locator('.authorize.locked').count(), 1, 'the authorization survives a reload')

  /** Opens an operation by its deep link, fills parameters and body, executes, and returns the answer shown. */
  const run = async (tag: string, id: string, fields: Record<string, string>, body?: object) => {
    await page.goto(`${origin}/docs#/${encodeURIComponent(tag)}/${id}`)
    const block = page.locator(`#operations-${tag.replaceAll(' ', '_')}-${id}`)
    // A change of the fragment alone opens nothing: the deep link is read when the page loads.
    await page.reload()
    await block.locator('.opblock-body').waitFor()
    const tryOut = block.getByRole('button', { name: 'Try it out' })
    if (await tryOut.count()) await tryOut.click()
    for (const [name, value] of Object.entries(fields)) await block.locator(`tr[data-param-name="${name}"] input`).first().fill(value)
    if (body) await block.locator('textarea.body-param__text').fill(JSON.stringify(body))
    await block.getByRole('button', { name: 'Execute' }).click()
    const live = block.locator('.live-responses-table .response').first()
    await live.waitFor()
    return { status: (await live.locator('.response-col_status').first().textContent()) ?? '', text: (await live.textContent()) ?? '' }
  }
  const made = await run(
    'Users',
    'createUser',
    { applicationId: '~support' },
    { userName: 'browser', userDisplayName: 'Made in a browser', userPassword: 'Passw0rd!' }
  )
  t.match(made.status, /^201/)
  const listed = await run('Users', 'listUsers', { applicationId: '~support', userName: 'brow' })
  t.match(listed.status, /^200/)
  t.match(listed.text, /Made in a browser/)
  const shot = await page.screenshot({ fullPage: false })
  if (process.env.SCREENSHOT) writeFileSync(process.env.SCREENSHOT, shot)
  t.ok(shot.length > 10_000)
  t.same(complaints, [], 'the browser complains of nothing')
})
