import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BrowserContext, chromium, type Page } from 'playwright-core'

/** Swagger UI in a real Chromium: every operation opened, executed exactly as it comes up, and measured. */

/** The Chromium of this machine; undefined when there is none. */
export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path))

/** An operation as the document lists it. */
export interface Listed {
  id: string
  tag: string
  method: string
  path: string
}

/** What became of one operation on the page. Times are in milliseconds. */
export interface Outcome extends Listed {
  /** From the click until the whole form is painted. */
  openMs: number
  /** In pixels, before anything is executed. */
  height: number
  /** The HTTP status shown; undefined when the page sent nothing. */
  status?: number
  /** The start of the response shown, or which fields kept the page from sending. */
  text: string
}

export interface Browser {
  context: BrowserContext
  page: Page
  /** What the browser complained of: console errors and uncaught exceptions. */
  complaints: string[]
  close(): Promise<void>
}

/** Starts a Chromium with a profile of its own. Close it. */
export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'voxgate-chromium-'))
  const args = ['no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run', 'disable-background-networking', 'disable-component-update']
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath,
    args: [...args, 'disable-sync'].map(name => `--${name}`),
    viewport: { width: 1280, height: 1000 }
  })
  await context.addInitScript({ path: fileURLToPath(new URL('./in-page.js', import.meta.url)) })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(error.message))
  return {
    context,
    page,
    complaints,
    async close() {
      await context.close()
      rmSync(profile, { recursive: true, force: true })
    }
  }
}

/** The operations of a service, in an order in which each finds what it needs: reads, creations, changes, and deletions from the leaves to the root. */
export async function listOperations(origin: string): Promise<Listed[]> {
  const document = (await (await fetch(`${origin}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { operationId: string; tags: string[] }>>
  }
  const listed = Object.entries(document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, { operationId, tags }]) => ({ id: operationId, tag: tags[0]!, method: verb.toUpperCase(), path }))
  )
  const phases = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
  // An account has one outbound test number, or none; a task is cancelled before the batch that it is of.
  const moved: Record<string, number> = { createOutboundTestNumber: -1, cancelCallListTask: 3.5 }
  const phase = ({ id, method }: Listed) => moved[id] ?? phases.indexOf(method)
  const depth = ({ path }: Listed) => path.split('/').length
  const place = new Map(listed.map((operation, i) => [operation, i]))
  return listed.toSorted(
    (a, b) =>
      phase(a) - phase(b) || (a.method === 'DELETE' ? depth(b) - depth(a) || place.get(b)! - place.get(a)! : place.get(a)! - place.get(b)!)
  )
}

/** Opens the page. Resolves to the milliseconds until the first section is shown. */
export async function openPage(page: Page, origin: string): Promise<number> {
  const started = performance.now()
  await page.goto(`${origin}/docs`)
  await page.locator('.opblock-tag').first().waitFor({ timeout: 120_000 })
  return performance.now() - started
}

/** Gives the page its credentials through its own dialogue: by the name of the scheme. */
export async function authorize(page: Page, credentials: Record<string, string>): Promise<void> {
  await page.locator('button.authorize').first().click()
  for (const [name, value] of Object.entries(credentials)) {
    const scheme = page.locator('.auth-container').filter({ has: page.getByRole('heading', { name: new RegExp(`^${name}`) }) })
    await scheme.getByLabel('auth-bearer-value').fill(value)
    await scheme.getByRole('button', { name: 'Apply credentials' }).click()
  }
  await page.getByRole('button', { name: 'Close' }).first().click()
}

/** Opens an operation, presses Execute without touching a field, reads what is shown, and closes it again. */
export async function executeAsItComes(page: Page, operation: Listed, { execute = true } = {}): Promise<Outcome> {
  const seen = await page.evaluate(
    ([tag, id, press]) => Reflect.get(globalThis, 'tryOperation')(tag, id, press) as Promise<Omit<Outcome, keyof Listed>>,
    [operation.tag, operation.id, execute] as const
  )
  return { ...operation, ...seen }
}

/** How many operations are opened before the page is loaded again: a session of a person is shorter, too. */
const perLoad = 20

/** Every operation of a service, one after the other, on a page that has its credentials and keeps them. */
export async function* executeAll(page: Page, origin: string): AsyncGenerator<Outcome> {
  for (const [i, operation] of (await listOperations(origin)).entries()) {
    if (i > 0 && i % perLoad === 0) await openPage(page, origin)
    try {
      yield await executeAsItComes(page, operation)
    } catch (error) {
      // After many sections were opened, Swagger UI sometimes draws the first few alone.
      if (!/is not on the page/.test(String(error))) throw error
      await openPage(page, origin)
      yield await executeAsItComes(page, operation)
    }
  }
}

/** Whether an operation got a status of success. */
export const succeeded = ({ status = 0 }: Outcome): boolean => status >= 200 && status < 300
