import { randomBytes } from 'node:crypto'
import t from 'tap'
import { type ConfigError, readConfig } from '../src/config.ts'
import { checkMasterKey, weaknessOfKey } from '../src/vault/master-keys.ts'

/** What a configuration may not be. */

const key = randomBytes(32).toString('base64')
const production = { NODE_ENV: 'production', MASTER_KEY: key, VOXIMPLANT_API: 'https://api.voximplant.com' }
const problemsOf = (env: Record<string, string>): string => {
  try {
    readConfig(env)
    return ''
  } catch (error) {
    return (error as ConfigError).problems.join('\n')
  }
}

t.test('settings are read in groups, with their defaults and types', async t => {
  const { server, upstream, limits, loadShedding } = readConfig({ PORT: '9000', DOCS: 'false', TENANT_RATE: '0.5' })
  t.match(
    { server, upstream, limits, loadShedding },
    {
      server: { port: 9000, docs: false, host: '127.0.0.1', environment: 'development' },
      upstream: { url: 'sandbox', timeoutMs: 30_000 },
      limits: { tenantRate: 0.5 },
      loadShedding: { maxHeapRatio: 0.9 }
    }
  )
  t.throws(() => Object.assign(server, { port: 1 }), TypeError, 'frozen')
})

t.test('everything that is wrong is reported together', async t => {
  const problems = problemsOf({ PORT: 'x', UPSTREAM_REST: '1', UPSTREM_TIMEOUT: '1', ADMIN_TOKEN: 'a', ADMIN_TOKEN_FILE: 'b' })
  for (const pattern of [
    /PORT must be integer/,
    /UPSTREAM_REST is now UPSTREAM_CONNECTION_COOLDOWN/,
    /did you mean UPSTREAM_TIMEOUT/,
    /both set/
  ])
    t.match(problems, pattern)
})

t.test('NODE_ENV is one of its values', async t => {
  for (const NODE_ENV of ['Production', 'prod', 'PRODUCTION', 'staging', ' production'])
    t.match(problemsOf({ NODE_ENV }), /NODE_ENV .*\(development, production, test\)/, NODE_ENV)
  for (const NODE_ENV of ['development', 'test']) t.equal(problemsOf({ NODE_ENV }), '')
})

t.test('the sandbox starts beside a master key or a database only when it is asked for by name', async t => {
  const several: Record<string, string>[] = [
    { MASTER_KEY: key },
    { MASTER_KEY_FILE: '/run/secrets/key' },
    { DATABASE_URL: 'postgres://voxgate@db/voxgate' },
    { MASTER_KEY_PROVIDER: 'transit', TRANSIT_ADDRESS: 'https://vault:8200', TRANSIT_TOKEN: 'x' }
  ]
  for (const given of several) {
    const [name = ''] = Object.keys(given)
    t.match(
      problemsOf(given),
      new RegExp(`VOXIMPLANT_API is required beside ${name}: set VOXIMPLANT_API=https://api.voximplant.com, or VOXIMPLANT_API=sandbox`)
    )
    t.equal(problemsOf({ ...given, VOXIMPLANT_API: 'sandbox' }), '')
  }
  t.equal(readConfig({}).upstream.url, 'sandbox', 'without anything it is the default')
})

t.test('in production secrets travel by TLS, or stay on the machine', async t => {
  const vault = { MASTER_KEY_PROVIDER: 'transit', TRANSIT_TOKEN: 'x' }
  for (const host of ['api.voximplant.com', '10.0.0.1', '127.0.0.1.example.com', 'localhost.example.com', '[::2]']) {
    t.match(problemsOf({ ...production, VOXIMPLANT_API: `http://${host}` }), /VOXIMPLANT_API has to be https in production/, host)
    t.match(
      problemsOf({ ...production, ...vault, TRANSIT_ADDRESS: `http://${host}:8200` }),
      /TRANSIT_ADDRESS has to be https in production/,
      host
    )
  }
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) {
    t.equal(problemsOf({ ...production, VOXIMPLANT_API: `http://${host}:8080` }), '', host)
    t.equal(problemsOf({ ...production, ...vault, TRANSIT_ADDRESS: `http://${host}:8200` }), '', host)
  }
  t.equal(problemsOf({ VOXIMPLANT_API: 'http://10.0.0.1' }), '', 'in development it may')
})

t.test('a master key without entropy prevents the start in production, and is a warning elsewhere', async t => {
  const text = (value: string) => Buffer.from(value.padEnd(32, ' ').slice(0, 32)).toString('base64')
  for (const [weak, complaint] of [
    [Buffer.alloc(32).toString('base64'), /one byte again and again/],
    [Buffer.alloc(32, 0xff).toString('base64'), /one byte again and again/],
    [Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64'), /counts up or down/],
    [Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - 2 * i)).toString('base64'), /counts up or down/],
    [Buffer.from('deadbeef'.repeat(8), 'hex').toString('base64'), /too few different bytes/],
    [text('correct horse battery staple zky'), /is readable text/],
    [text('9f86d081884c7d659a2feaa0c55ad015'), /too few different bytes|is readable text/],
    ['thisismysupersecretmasterkeyforproduction12=', /is typed text/]
  ] as const) {
    t.match(weaknessOfKey(weak), complaint)
    t.throws(() => checkMasterKey(readConfig(production).server, weak), {
      name: 'ConfigError',
      message: /MASTER_KEY .*openssl rand -base64 32.*MASTER_KEY_PREVIOUS/
    })
    t.match(checkMasterKey(readConfig({}).server, weak), complaint)
  }
  t.equal(checkMasterKey(readConfig(production).server, ''), undefined, 'a key server has it')
  let refused = 0
  for (let i = 0; i < 20_000; i++) if (weaknessOfKey(randomBytes(32).toString('base64'))) refused++
  t.equal(refused, 0, 'of 20,000 random keys none is refused')
})
