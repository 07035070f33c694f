import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The upstream of the abuse series, in a process of its own: what it answers is said by the name that is asked for. */

const user = JSON.stringify({
  user_id: 1,
  user_name: 'somebody',
  user_display_name: 'Some Body',
  user_active: true,
  balance: 12.34,
  created: '2026-01-01 00:00:00',
  modified: '2026-01-01 00:00:00',
  user_custom_data: 'x'.repeat(150),
  applications: [{ application_id: 1, application_name: 'support.acme.voximplant.com' }],
  skills: [{ skill_id: 1, skill_name: 'english', skill_level: 3 }]
})

const list = (rows: number, total = rows): Buffer =>
  Buffer.from(`{"result":[${Array(rows).fill(user).join(',')}],"total_count":${total},"count":${rows}}`)

/** By directive, as making one takes longer than sending it. */
const made = new Map<string, Buffer>()
const responseTo = (directive: string): Buffer => {
  const [, kind, size] = /^(bytes|chunked|message|rows)-(\d+)$/.exec(directive) ?? []
  switch (kind) {
    case 'bytes':
    case 'chunked':
      return list(Math.ceil(Number(size) / (user.length + 1)))
    case 'message':
      return Buffer.from(
        JSON.stringify({ error: { code: 110, field_name: 'user_name', msg: `Invalid name: ${'-eyJ'.repeat(Number(size) / 4)}` } })
      )
    case 'rows':
      return list(1000, Number(size))
    default:
      return list(20)
  }
}

const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  const form = new URLSearchParams(body)
  const directive = form.get('user_name') ?? ''
  // What was sent as a file or has an effect is only acknowledged.
  if (form.get('cmd') !== 'GetUsers')
    return response.end('{"result":1,"list_id":1,"message_id":1,"fragments_count":1,"user_id":1,"count":1}')
  const bytes = made.get(directive) ?? responseTo(directive)
  made.set(directive, bytes)
  response.setHeader('content-type', 'application/json')
  if (!directive.startsWith('chunked')) response.setHeader('content-length', bytes.length)
  response.write(bytes)
  response.end()
})
server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.on('disconnect', () => process.exit())
