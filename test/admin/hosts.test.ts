import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { createCredential, freePort, startService } from '../support.ts'

/** Where an administrator can send a tenant's calls, and what is learnt by it. */

const token = randomBytes(32).toString('hex')

async function start(t: Test, env: Record<string, string> = {}) {
  const service = await startService({ env: { ADMIN_TOKEN: `ops:${token}`, UPSTREAM_HEADERS_TIMEOUT: '500', ...env } })
  t.teardown(() => service.close())
  return (method: string, url: string, body?: unknown) =>
    service.call(method, `/admin${url}`, body, { headers: { authorization: `Bearer ${token}`, 'idempotency-key': undefined } })
}

t.test('a tenant is sent to hosts of UPSTREAM_HOSTS only', async t => {
  const admin = await start(t)
  for (const apiHost of [
    'evil.example',
    'voximplant.com.evil.example',
    'evilvoximplant.com',
    '127.0.0.1:6379',
    'localhost',
    'metadata.internal'
  ]) {
    const refused = { status: 400, body: { errors: [{ pointer: '/apiHost', detail: /UPSTREAM_HOSTS/ }] } }
    t.match(await admin('PATCH', '/tenants/tenant-1', { apiHost }), refused, apiHost)
    t.match(await admin('POST', '/tenants', { tenantId: 'other', accountId: 5, apiHost }), refused, apiHost)
  }
  for (const apiHost of ['api.voximplant.com', 'api-ru.voximplant.com', null])
    t.equal((await admin('PATCH', '/tenants/tenant-1', { apiHost })).status, 200, String(apiHost))
  const own = await start(t, { UPSTREAM_HOSTS: 'api.example.com, *.example.net,10.0.0.1:8443' })
  for (const [apiHost, status] of [
    ['api.example.com', 200],
    ['api.example.com:8443', 200],
    ['a.b.example.net', 200],
    ['10.0.0.1:8443', 200],
    ['10.0.0.1', 400],
    ['10.0.0.1:22', 400],
    ['example.net', 400],
    ['api.voximplant.com', 400]
  ] as const)
    t.equal((await own('PATCH', '/tenants/tenant-1', { apiHost })).status, status, apiHost)
})

t.test('a check of credentials tells nothing of what listens where', async t => {
  const admin = await start(t, { UPSTREAM_HOSTS: '127.0.0.1' })
  const listening = async (act: 'silent' | 'closes' | 'speaks') => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      if (act === 'closes') socket.destroy()
      if (act === 'speaks') socket.end('SSH-2.0-OpenSSH_9.6\r\n')
    }).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    t.teardown(() => void server.close())
    return (server.address() as { port: number }).port
  }
  const messages = new Set<string>()
  const ports = [await freePort(), await listening('closes'), await listening('speaks'), await listening('silent')]
  const { accountId, keyId, privateKey } = createCredential(500_001)
  for (const port of ports) {
    await admin('PATCH', '/tenants/tenant-1', { apiHost: `127.0.0.1:${port}` })
    const { status, body } = await admin('PUT', '/tenants/tenant-1/credentials', {
      account_id: accountId,
      key_id: keyId,
      private_key: privateKey
    })
    messages.add(`${status} ${body.code} ${body.detail}`)
  }
  t.equal(messages.size, 1, [...messages].join('\n'))
  t.match([...messages][0], /^502 credentials-unverified The upstream could not be asked/)
})
