import { randomBytes } from 'node:crypto'
import { createConnection } from 'node:net'
import t, { type Test } from 'tap'
import { startService } from '../support.ts'

/** A proxy that closes `/admin` to callers compares texts: nothing that it does not compare may lead there. */

const token = randomBytes(32).toString('hex')

async function listening(t: Test, env: Record<string, string> = {}) {
  const service = await startService({ env: { ADMIN_TOKEN: `ops:${token}`, ...env } })
  t.teardown(() => service.close())
  const { port } = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }))
  /** The status of a request whose target is written as it is: clients would normalize it. */
  return (target: string, method = 'GET') =>
    new Promise<number>((resolve, reject) => {
      let answer = ''
      createConnection({ host: '127.0.0.1', port: Number(port) })
        .on('data', chunk => {
          answer += chunk
        })
        .on('close', () => resolve(Number(answer.slice(9, 12))))
        .on('error', reject)
        .write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`)
    })
}

const spellings = [
  '/%61dmin/tenants',
  '/%61%64%6d%69%6e/tenants',
  '/admi%6E/tenants',
  '/admin/%74enants',
  '/admin/tenants%2f',
  '/admin%2ftenants',
  '//admin/tenants',
  '/admin//tenants',
  '/./admin/tenants',
  '/x/../admin/tenants',
  '/Admin/tenants',
  '/ADMIN/tenants',
  '/admin;x/tenants',
  '/admin/tenants;x',
  'http://voxgate.example/admin/tenants',
  'http://voxgate.example/%61dmin/tenants'
]

t.test('the admin API answers at its own spelling only', async t => {
  const status = await listening(t)
  t.equal(await status('/admin/tenants'), 200)
  t.equal(await status('/admin/tenants?limit=1&after=%61'), 200, 'a query may be encoded')
  for (const target of spellings) t.match(await status(target), 404, target)
  t.equal(await status('/admin/tenants', 'PUT'), 405)
  t.equal(await status('/%61dmin/tenants', 'PUT'), 404, 'nor does a caller learn which methods there would be')
})

t.test('the admin API answers at its own spelling only below a base path', async t => {
  const status = await listening(t, { BASE_PATH: '/voximplant' })
  t.equal(await status('/voximplant/admin/tenants'), 200)
  for (const target of spellings) t.match(await status(target.replace(/^(http:\/\/[^/]+|)/, '$1/voximplant')), 404, `/voximplant${target}`)
  for (const target of ['/voximplan%74/admin/tenants', '/%76oximplant/admin/tenants', '/Voximplant/admin/tenants', '/admin/tenants'])
    t.equal(await status(target), 404, target)
})
