import t from 'tap'
import { renamedVariables, type Setting, settings } from '../../src/config/settings.ts'
import { misnamedVariables } from '../../src/config/variables.ts'

const ours = Object.values(settings).flatMap(group => Object.values<Setting<unknown>>(group).map(({ variable }) => variable))
const problemsOf = (env: Record<string, string>) => misnamedVariables(env, ours)

t.test('a variable of an earlier version is rejected with its new name', async t => {
  t.same(problemsOf({ UPSTREAM_REST: '2' }), ['UPSTREAM_REST is now UPSTREAM_CONNECTION_COOLDOWN: rename it'])
  for (const [before, now] of Object.entries(renamedVariables)) {
    t.ok(ours.includes(now), `${now} is a setting`)
    t.notOk(ours.includes(before), `${before} is none`)
  }
})

t.test('a misspelt variable is rejected with the setting that was meant', async t => {
  t.same(problemsOf({ UPSTREM_TIMEOUT: '1' }), ['UPSTREM_TIMEOUT is not a setting; did you mean UPSTREAM_TIMEOUT?'])
  t.same(problemsOf({ IDEMPOTENCY_TLT: '1' }), ['IDEMPOTENCY_TLT is not a setting; did you mean IDEMPOTENCY_TTL?'])
  t.same(problemsOf({ master_key: 'x' }), ['master_key is not a setting; did you mean MASTER_KEY?'])
  t.same(problemsOf({ KEY_RATES: '1' }), ['KEY_RATES is not a setting; did you mean KEY_RATE?'])
})

t.test('variables of other programs are ignored', async t => {
  const others =
    'HOME HOSTNAME PATH PWD USER SHELL TERM LANG LC_ALL TZ TMPDIR LOGNAME EDITOR NODE_PATH NODE_OPTIONS NODE_VERSION npm_config_cache XDG_DATA_DIRS PGHOST PGPORT PORTS DOCK REDIS_PORT REDIS_SERVICE_HOST KUBERNETES_PORT OTEL_SERVICE_NAME SANDBOX_PORT CHAOS_PORT'
  t.same(problemsOf(Object.fromEntries(others.split(' ').map(name => [name, '1']))), [])
  t.same(
    problemsOf({ METRIC_PORT: 'tcp://10.0.0.7:80', UPSTREAM_HOST: '10.0.0.7', METRIC_HOST: 'x' }),
    [],
    'addresses that platforms set for services'
  )
  t.same(problemsOf(process.env as Record<string, string>), [], 'the environment of this test')
})

t.test('an empty variable counts as unset', async t => {
  t.same(problemsOf({ UPSTREAM_REST: '' }), [])
})

t.test('every setting is read with its own name', async t => {
  t.same(problemsOf(Object.fromEntries(ours.map(name => [name, '1']))), [])
  t.equal(new Set(ours).size, ours.length)
})
