import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { startControl } from '../chaos/control.ts'
import { type Fault, faultKinds, type Rule, readPlan } from '../chaos/faults.ts'
import { type ChaosOptions, type ChaosUpstream, startChaos } from '../chaos/upstream.ts'
import { operations } from '../src/app.ts'
import { buildSandbox } from '../src/sandbox/server.ts'

/** The fault-injecting upstream does what it says, seen through a bare socket. */

async function start(t: Test, options: Partial<ChaosOptions> = {}): Promise<ChaosUpstream> {
  const upstream = await startChaos({ operations, ...options })
  t.teardown(() => upstream.close())
  return upstream
}

interface Heard {
  /** Every byte that came. */
  bytes: Buffer
  length: number
  /** How it ended; `open` when the patience did. */
  end: 'open' | 'end' | 'reset' | string
  /** Milliseconds. */
  after: number
  firstAfter?: number
}

/** Sends one call on a connection of its own and listens until it ends, or `enough` says so, or the patience does. */
function say(
  upstream: ChaosUpstream,
  form: string,
  { patience = 20_000, enough = () => false, ca }: { patience?: number; enough?: (bytes: Buffer) => boolean; ca?: string } = {}
): Promise<Heard> {
  const { hostname: host, port, protocol } = new URL(upstream.origin)
  return new Promise(resolve => {
    const begun = performance.now()
    const chunks: Buffer[] = []
    let firstAfter: number | undefined
    const socket = protocol === 'https:' ? connectTls({ host, port: Number(port), ca }) : connectTcp({ host, port: Number(port) })
    const end = (how: Heard['end']) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({
        bytes: Buffer.concat(chunks),
        length: Buffer.concat(chunks).length,
        end: how,
        after: performance.now() - begun,
        firstAfter
      })
    }
    const timer = setTimeout(end, patience, 'open')
    socket.on('data', chunk => {
      firstAfter ??= performance.now() - begun
      chunks.push(chunk)
      if (enough(Buffer.concat(chunks))) end('open')
    })
    socket.on('end', () => end('end'))
    socket.on('error', error =>
      end((error as { code?: string }).code === 'ECONNRESET' ? 'reset' : ((error as { code?: string }).code ?? error.message))
    )
    socket.write(
      `POST /platform_api HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${Buffer.byteLength(form)}\r\n\r\n${form}`
    )
  })
}

const read = 'cmd=GetSkills&account_id=1'
const write = (marker: string) => `cmd=SendSmsMessage&account_id=1&sms_body=chaos-${marker}`
const always = (fault: Fault, more: Omit<Rule, 'fault'> = {}): { rules: Rule[] } => ({ rules: [{ fault, ...more }] })
const bodyOf = ({ bytes }: Heard): string => bytes.toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n')
/** Whether a body of this number of bytes is there. */
const has =
  (length: number) =>
  (bytes: Buffer): boolean =>
    bytes.includes('\r\n\r\n') && bytes.length - bytes.indexOf('\r\n\r\n') - 4 >= length
const whole = (bytes: Buffer): boolean => bytes.includes('\r\n\r\n') && /\}\s*$/.test(bytes.toString())

t.test('every fault, through a bare socket', async t => {
  const upstream = await start(t)
  const proper = await say(upstream, read, { enough: whole })
  t.match(proper.bytes.toString(), /^HTTP\/1\.1 200 OK\r\n/)
  t.same(JSON.parse(bodyOf(proper)), { result: [], total_count: 0, count: 0 })
  const seen = new Set<string>()
  const meets = async (fault: Fault, options?: Parameters<typeof say>[2], form = read) => {
    seen.add(fault.kind)
    await upstream.set(always(fault))
    return say(upstream, form, options)
  }

  t.match(await meets({ kind: 'connect-reset' }), { end: 'reset', length: 0 })
  t.match(await meets({ kind: 'connect-black-hole' }, { patience: 400 }), { end: 'open', length: 0 })
  t.match(await meets({ kind: 'black-hole' }, { patience: 400 }), { end: 'open', length: 0 })
  for (const at of [0, 1, 20, 70]) {
    t.match(await meets({ kind: 'reset', at }), { end: 'reset' }, `reset after ${at} bytes`)
    const half = await meets({ kind: 'half-close', at })
    t.match(half, { end: 'end', length: at }, `half closed after ${at} bytes`)
  }
  const lengths = new Set<number>()
  for (let seed = 0; seed < 20; seed++) {
    await upstream.set({ seed, ...always({ kind: 'half-close' }) })
    lengths.add((await say(upstream, read)).bytes.length)
  }
  t.ok(lengths.size > 10, `anywhere: ${lengths.size} places of 20`)

  const late = await meets({ kind: 'latency', ms: 150, jitter: 50 }, { enough: whole })
  t.ok(late.firstAfter! >= 145, 'latency')
  t.match(bodyOf(late), /"result"/)
  const skewed = await meets({ kind: 'clock-skew', seconds: -7200 }, { enough: whole })
  const date = Date.parse(/\r\ndate: ([^\r]+)/i.exec(skewed.bytes.toString())![1]!)
  t.ok(Math.abs(Date.now() - 7_200_000 - date) < 60_000, 'clock skew')
  const slow = await meets({ kind: 'drip', bytes: 4, everyMs: 50 }, { enough: whole })
  t.ok(slow.after - slow.firstAfter! >= 250, 'a slow drip')
  const noise = await meets({ kind: 'garbage', bytes: 300 })
  t.match(noise, { end: 'end', length: 300 })
  t.notMatch(noise.bytes.toString('latin1'), /^HTTP/)
  const noiseBody = await meets({ kind: 'garbage-body', bytes: 300 }, { enough: has(300) })
  t.equal(bodyOf(noiseBody).length, 300)
  t.throws(() => JSON.parse(bodyOf(noiseBody)))
  const cut = await meets({ kind: 'truncated', at: 20 }, { enough: has(20) })
  t.match(cut.bytes.toString(), /^HTTP\/1\.1 200/)
  t.equal(Number(/content-length: (\d+)/.exec(cut.bytes.toString())![1]), bodyOf(cut).length, 'whole as HTTP')
  t.throws(() => JSON.parse(bodyOf(cut)), 'and cut as JSON')
  const page = await meets({ kind: 'content-type' }, { enough: bytes => bytes.includes('network.') })
  t.match(page.bytes.toString(), /content-type: text\/html[\s\S]*<title>/i)
  const packed = await meets(
    { kind: 'gzip' },
    { enough: bytes => has(Number(/content-length: (\d+)/.exec(bytes.toString('latin1'))?.[1] ?? 1))(bytes) }
  )
  t.match(packed.bytes.toString('latin1'), /content-encoding: gzip/)
  t.match(gunzipSync(Buffer.from(bodyOf(packed), 'latin1')).toString(), /"result"/)
  const twice = await meets({ kind: 'second-answer', count: 2 }, { enough: bytes => bytes.toString().split('stray').length > 4 })
  t.equal(twice.bytes.toString().match(/HTTP\/1\.1 200/g)?.length, 3, 'two answers that nobody asked for')
  t.match(twice.bytes.toString(), /stray/)
  const busy = await meets({ kind: 'status', status: 429, retryAfter: 7 }, { enough: bytes => bytes.includes('</h1>') })
  t.match(busy.bytes.toString(), /^HTTP\/1\.1 429[\s\S]*retry-after: 7/)
  t.notMatch((await meets({ kind: 'status', status: 503 }, { enough: bytes => bytes.includes('</h1>') })).bytes.toString(), /retry-after/)
  for (const code of [447, 454, 455, 456])
    t.equal(JSON.parse(bodyOf(await meets({ kind: 'refusal', code }, { enough: whole }))).error.code, code)

  const encrypted = await start(t, { tls: true })
  t.match((await say(encrypted, read, { ca: encrypted.ca, enough: whole })).bytes.toString(), /^HTTP\/1\.1 200/, 'https')
  for (const at of [0, 20]) {
    await encrypted.set(always({ kind: 'reset', at }))
    t.equal((await say(encrypted, read, { ca: encrypted.ca })).end, 'reset', 'and a reset below it')
  }
  for (const [certificate, code] of [
    ['expired', 'CERT_HAS_EXPIRED'],
    ['wrong-name', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT']
  ] as const) {
    seen.add('tls')
    await encrypted.set(always({ kind: 'tls', certificate }))
    t.equal((await say(encrypted, read, { ca: encrypted.ca })).end, code)
  }
  for (const at of [0, 20]) {
    seen.add('tls-cut')
    await encrypted.set(always({ kind: 'tls-cut', at }))
    t.equal((await say(encrypted, read, { ca: encrypted.ca })).end, 'reset', `the handshake cut after ${at} bytes`)
  }
  seen.add('huge')
  t.same(
    faultKinds.map(({ kind }) => kind).filter(kind => !seen.has(kind)),
    [],
    'none was left out'
  )
})

t.test('a gibibyte of JSON is streamed, never built', async t => {
  const upstream = await start(t, always({ kind: 'huge' }))
  let bytes = 0
  let tail = ''
  const before = process.memoryUsage.rss()
  let most = 0
  await new Promise<void>((resolve, reject) => {
    const { port } = new URL(upstream.origin)
    const socket = connectTcp({ host: '127.0.0.1', port: Number(port) })
    socket.on('error', reject)
    socket.on('data', chunk => {
      bytes += chunk.length
      most = Math.max(most, process.memoryUsage.rss() - before)
      tail = (tail + chunk.subarray(-40).toString('latin1')).slice(-40)
      if (tail.endsWith('0\r\n\r\n')) {
        socket.destroy()
        resolve()
      }
    })
    socket.write(
      `POST /platform_api HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${read.length}\r\n\r\n${read}`
    )
  })
  t.ok(bytes >= 1_073_741_824, `${bytes} bytes`)
  t.ok(most < 300 * 1_048_576, `${Math.round(most / 1_048_576)} MB`)
})

t.test('rules', async t => {
  const upstream = await start(t)
  const failed = async (form: string) => (await say(upstream, form, { enough: whole })).end !== 'open'
  const reset: Fault = { kind: 'reset', at: 0 }
  await upstream.set(always(reset, { methods: ['GetUsers'] }))
  t.notOk(await failed(read))
  t.ok(await failed('cmd=GetUsers&account_id=1'))
  await upstream.set(always(reset, { calls: 'writes', accounts: [2] }))
  t.notOk(await failed('cmd=GetUsers&account_id=2'))
  t.notOk(await failed('cmd=DelUser&account_id=1'))
  t.ok(await failed('cmd=DelUser&account_id=2'))
  await upstream.set(always(reset, { times: 2 }))
  t.same([await failed(read), await failed(read), await failed(read)], [true, true, false])
  await upstream.set(always(reset, { from: 3600 }))
  t.notOk(await failed(read), 'a window that is not yet')
  await upstream.set(always(reset, { until: 3600 }))
  t.ok(await failed(read))
  await upstream.set(always(reset, { every: 7200, during: 3600 }))
  t.ok(await failed(read), 'within a burst')
  await upstream.set(always(reset, { every: 3600, during: 0 }))
  t.notOk(await failed(read), 'between bursts')

  const run = async (seed: number) => {
    upstream.reset()
    await upstream.set({ seed, ...always(reset, { probability: 0.3 }) })
    const fates: boolean[] = []
    // In an order of its own each time: what is marked meets the same fate all the same.
    const order = Array.from({ length: 200 }, (_, i) => i).sort(() => Math.random() - 0.5)
    for (const i of order) fates[i] = await failed(`cmd=GetUsers&account_id=1&user_name=chaos-${i}`)
    return fates
  }
  const [first, again, other] = [await run(1), await run(1), await run(2)]
  t.same(first, again, 'the same seed, the same faults')
  t.notSame(first, other)
  const share = first!.filter(Boolean).length / 200
  t.ok(share > 0.2 && share < 0.4, `30 % of 200: ${share}`)
  for (const [bad, says] of [
    [{ rules: [{ fault: { kind: 'earthquake' } }] }, /there is no fault "earthquake"; there are connect-reset/],
    [{ rules: [{ fault: { kind: 'reset' }, probability: 2 }] }, /rules\/0\/probability must be <= 1/],
    [{ rules: [{ fault: { kind: 'latency' } }] }, /ms/],
    [{ rule: [] }, /rule/],
    [[], /object/]
  ] as const)
    t.throws(() => readPlan(bad), says)
})

t.test('effects are counted, whether their answer arrives or not', async t => {
  const upstream = await start(t)
  await say(upstream, write('plain'), { enough: whole })
  await upstream.set(always({ kind: 'reset', at: 10 }, { when: 'after' }))
  await say(upstream, write('lost'))
  await say(upstream, write('lost'))
  await upstream.set(always({ kind: 'reset', at: 10 }, { when: 'before' }))
  await say(upstream, write('never'))
  for (const [name, fault] of [
    ['proxied', { kind: 'status', status: 503 }],
    ['proxied', { kind: 'status', status: 429 }],
    ['refused', { kind: 'refusal', code: 456 }]
  ] as const) {
    await upstream.set(always(fault, { when: 'after' }))
    await say(upstream, write(name), { enough: bytes => /<\/h1>|\}\}$/.test(bytes.toString()) })
  }
  const { marked, effects, requests, faults } = upstream.counts()
  t.match(marked.get('chaos-plain'), { method: 'SendSmsMessage', account: 1, effects: 1, attempts: [{ effect: true, fate: 'whole' }] })
  t.match(marked.get('chaos-lost'), { effects: 2, attempts: [{ effect: true, fate: 'cut', fault: 'reset' }, { fate: 'cut' }] })
  t.match(marked.get('chaos-never'), { effects: 0, attempts: [{ effect: false, fate: 'cut' }] })
  t.match(marked.get('chaos-refused'), { effects: 0, attempts: [{ fate: 'refused' }] })
  t.match(
    marked.get('chaos-proxied'),
    { effects: 2, attempts: [{ fate: 'cut' }, { fate: 'cut' }] },
    'a bare status says nothing of the effect'
  )
  t.match({ effects, requests, faults }, { effects: 5, requests: 7, faults: { reset: 3, status: 2, refusal: 1 } })
})

t.test('the control port, in front of the sandbox', async t => {
  const sandbox = await buildSandbox({ operations, accounts: [{ accountId: 1, keys: {}, apiKey: 'k' }], demo: true })
  await sandbox.ready()
  t.teardown(() => sandbox.close())
  const upstream = await start(t, { sandbox })
  const control = await startControl(upstream)
  t.teardown(() => control.close())
  const ask = async (path = '', method = 'GET', body?: unknown) => {
    const answer = await fetch(`${control.url}${path}`, { method, body: body === undefined ? undefined : JSON.stringify(body) })
    // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
    return { status: answer.status, body: (await answer.json()) as any }
  }
  const call = async (params: string) =>
    (await (await fetch(`${upstream.origin}/platform_api/${params}&account_id=1&api_key=k`, { method: 'POST' })).json()) as {
      result?: unknown
      error?: { code: number }
    }
  t.match((await call('GetApplications?count=1')).result, [{ application_name: /support|\w+/ }])
  t.match(await ask(), { status: 200, body: { rules: [], listening: true } })
  t.match(await ask('', 'PUT', { rules: [{ fault: { kind: 'refusal', code: 456 }, times: 1 }] }), { status: 200 })
  t.equal((await call('GetApplications?count=1')).error?.code, 456)
  t.ok((await call('GetApplications?count=1')).result)
  await call('AddApplication?application_name=chaos-made')
  t.equal((await call('AddApplication?application_name=chaos-made')).error?.code !== undefined, true)
  t.match((await ask('/effects')).body, { effects: 1, marked: 1, doubled: [], faults: { refusal: 1 } }, 'a refusal is no effect')
  t.match((await ask('/effects?all=true')).body.content['chaos-made'], { effects: 1, attempts: { length: 2 } })
  t.match(await ask('/reset', 'POST'), { status: 200, body: { requests: 0 } })
  t.match(await ask('', 'PUT', { rules: [{}] }), { status: 400, body: { error: /there is no fault/ } })
  t.equal((await ask('/nothing')).status, 404)
  await ask('', 'PUT', { rules: [], listening: false })
  await t.rejects(call('GetApplications?count=1'), 'nobody listens')
  await ask('', 'PUT', { listening: true })
  t.match(await call('GetApplications?count=1'), { result: Array }, 'and again, at the same port')
})
