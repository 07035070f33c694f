import { authorize, executeAll, type Outcome, openPage, startBrowser, succeeded } from './swagger-ui.ts'

/**
 * `npm run pages:measure -- ORIGIN [FILE]`: how Swagger UI of a running service feels: time to the first sections, time to open an operation, its
 * height, bytes on the wire, and how many operations succeed when Execute is pressed without touching a field. KEY is an API key, ADMIN_TOKEN a
 * token for `/admin`. It changes and deletes what is there: run it against a fresh sandbox. FILE takes one line per operation.
 */

const [origin = 'http://localhost:8080', file] = process.argv.slice(2)
const { KEY = '', ADMIN_TOKEN = '' } = process.env

const percentile = (values: number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!

const browser = await startBrowser()
try {
  const { page } = browser
  const network = await browser.context.newCDPSession(page)
  await network.send('Network.enable')
  let bytes = 0
  network.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  const firstMs = await openPage(page, origin)
  await page.waitForLoadState('networkidle')
  const firstBytes = bytes
  bytes = 0
  const againMs = await openPage(page, origin)
  await page.waitForLoadState('networkidle')
  const againBytes = bytes
  await authorize(page, { apiKey: KEY, ...(ADMIN_TOKEN ? { adminToken: ADMIN_TOKEN } : {}) })
  const outcomes: Outcome[] = []
  for await (const outcome of executeAll(page, origin)) outcomes.push(outcome)
  const openMs = outcomes.map(outcome => outcome.openMs)
  const heights = outcomes.map(outcome => outcome.height)
  const table: [string, string][] = [
    ['Operations', String(outcomes.length)],
    ['First sections, cold', `${(firstMs / 1000).toFixed(2)} s`],
    ['First sections, again', `${(againMs / 1000).toFixed(2)} s`],
    ['On the wire, cold', `${Math.round(firstBytes / 1000)} kB`],
    ['On the wire, again', `${Math.round(againBytes / 1000)} kB`],
    ['Open an operation, median', `${(percentile(openMs, 0.5) / 1000).toFixed(2)} s`],
    ['Open an operation, p90', `${(percentile(openMs, 0.9) / 1000).toFixed(2)} s`],
    ['Height of an operation, median', `${Math.round(percentile(heights, 0.5))} px`],
    ['Height of an operation, highest', `${Math.round(Math.max(...heights))} px`],
    ['Succeed as they come up', `${outcomes.filter(succeeded).length} of ${outcomes.length}`]
  ]
  for (const [name, value] of table) console.log(`| ${name} | ${value} |`)
  const lines = outcomes.map(({ id, method, path, status, openMs, height, text }) =>
    [
      succeeded({ status } as Outcome) ? 'ok' : 'FAILS',
      status ?? '-',
      method,
      path,
      id,
      Math.round(openMs),
      Math.round(height),
      JSON.stringify(text)
    ].join(' ')
  )
  if (file) (await import('node:fs')).writeFileSync(file, `${lines.join('\n')}\n`)
  else for (const line of lines) if (line.startsWith('FAILS')) console.log(line)
} finally {
  await browser.close()
}
