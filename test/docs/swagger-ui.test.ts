import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { authorize, chromiumPath, executeAll, openPage, startBrowser, succeeded } from '../../bench/swagger-ui.ts'
import { noLimits } from '../support.ts'

/** Swagger UI of the service as a newcomer starts it, in a real Chromium. */

const missing = chromiumPath ? false : 'Chromium is not installed (Debian: apt-get install chromium)'
if (missing && process.env.CI === 'true') t.fail(missing)
t.setTimeout(290_000)

const adminToken = 'fM3vQb7zZ1kX9sLw2Rt8YpHd5Nc0GjUe4VaKi6Wo='

/** What nobody can execute without bringing something of his own. */
const needMore: Record<string, string> = {
  getApiKey: 'the id of a key is random',
  rotateApiKey: 'the id of a key is random',
  revokeApiKey: 'the id of a key is random',
  putCredentials: 'it takes a credentials file of an account',
  settleIdempotencyRecord: 'there are records only of requests whose outcome is unknown'
}

t.test('in the browser', { skip: missing }, async t => {
  const data = mkdtempSync(join(tmpdir(), 'voxgate-pages-'))
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL('../../src/server.ts', import.meta.url))], {
    env: { ...process.env, ...noLimits, PORT: '0', HOST: '127.0.0.1', DATA_DIR: data, ADMIN_TOKEN: adminToken }
  })
  let said = ''
  child.stdout!.on('data', chunk => {
    said += chunk
  })
  while (!/http:\/\/localhost:\d+\/docs/.test(said) && child.exitCode === null) await new Promise(resolve => setTimeout(resolve, 50))
  const browser = await startBrowser()
  t.teardown(async () => {
    await browser.close()
    child.kill()
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(data, { recursive: true, force: true })
  })
  const { page, complaints } = browser
  const origin = /http:\/\/localhost:\d+/.exec(said)![0]
  await openPage(page, origin)

  await t.test('the dialogue of credentials has the API key first, with the focus', async t => {
    await page.locator('button.authorize').first().click()
    await page.locator('.auth-container').first().waitFor()
    t.match(await page.locator('.auth-container').first().textContent(), /^apiKey/)
    t.equal(await page.evaluate("document.activeElement === document.querySelector('.auth-container input')"), true)
    await page.getByRole('button', { name: 'Close' }).first().click()
  })

  await t.test('every operation succeeds as it comes up, but for those that need something of the caller', async t => {
    const { key } = JSON.parse(readFileSync(join(data, 'demo.json'), 'utf8')) as { key: string }
    await authorize(page, { apiKey: key, adminToken })
    const failed: string[] = []
    const unneeded: string[] = []
    let count = 0
    for await (const outcome of executeAll(page, origin)) {
      count++
      if (succeeded(outcome) === outcome.id in needMore)
        (succeeded(outcome) ? unneeded : failed).push(`${outcome.id}: ${outcome.status} ${outcome.text}`)
    }
    t.strictSame(failed, [])
    t.strictSame(unneeded, [], 'every exception is needed')
    t.ok(count >= 178, `${count} operations`)
  })

  await t.test('the search finds an operation by its method of the upstream, its id and its summary', async t => {
    await openPage(page, origin)
    const filter = page.locator('.operation-filter-input')
    for (const phrase of ['AddUser', 'createUser', 'add a user', 'users:write']) {
      await filter.fill('nothing has these words')
      await page.locator('.opblock-tag').first().waitFor({ state: 'detached', timeout: 60_000 })
      await filter.fill(phrase)
      await page.locator('#operations-Users-createUser').waitFor({ timeout: 60_000 })
      const shown = await page.locator('.opblock').count()
      t.ok(shown >= 1 && shown < 40, `${phrase}: ${shown} operations`)
    }
  })

  t.same(
    complaints.filter(text => !/status of [45]\d\d/.test(text)),
    [],
    'the browser complains of nothing'
  )
})
