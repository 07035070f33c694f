import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { scenario } from './clients/scenario.ts'
import { startService } from './support.ts'

/** The document, judged by tools that we did not write: linters, client generators, a validating proxy. */

const root = fileURLToPath(new URL('..', import.meta.url))
const document = join(root, 'openapi.json')
const bin = (name: string) => join(root, 'node_modules/.bin', name)
const quiet = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' }

const run = async (command: string, args: string[], cwd = root): Promise<{ code: number; output: string }> => {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd, env: quiet, maxBuffer: 67_108_864 })
    return { code: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, output: `${stdout}${stderr}` }
  }
}

/** A folder of generated things inside the project, so that its packages are found from there. */
function folder(t: Test): string {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  const dir = mkdtempSync(join(root, 'node_modules/.cache/voxgate-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const strictly = {
  target: 'es2024',
  lib: ['es2024', 'dom', 'dom.iterable'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  types: ['node']
}

t.test('linters find nothing', async t => {
  const redocly = await run(bin('redocly'), ['lint', document, '--extends', 'recommended', '--format', 'json'])
  t.same(
    JSON.parse(redocly.output.slice(redocly.output.indexOf('{'), redocly.output.lastIndexOf('}') + 1)).totals,
    { errors: 0, warnings: 0, ignored: 0 },
    'Redocly, recommended'
  )
  const dir = folder(t)
  writeFileSync(join(dir, 'spectral.yaml'), 'extends: ["spectral:oas"]\n')
  const spectral = await run(bin('spectral'), ['lint', document, '-r', join(dir, 'spectral.yaml'), '--fail-severity', 'hint'])
  t.equal(spectral.code, 0, spectral.output.slice(0, 2000))
})

t.test('openapi-typescript: the scenario compiles against the generated types', async t => {
  const dir = folder(t)
  const made = await run(bin('openapi-typescript'), [document, '-o', join(dir, 'api.d.ts')])
  t.equal(made.code, 0, made.output.slice(0, 2000))
  const compile = async (file: string) => {
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...strictly, paths: { 'voxgate-api': ['./api.d.ts'] } }, files: [file] })
    )
    return run(bin('tsc'), ['-p', dir])
  }
  const compiled = await compile(join(root, 'test/clients/scenario.ts'))
  t.equal(compiled.code, 0, compiled.output.slice(0, 3000))
  writeFileSync(
    join(dir, 'wrong.ts'),
    "import createClient from 'openapi-fetch'\nimport type { paths } from 'voxgate-api'\nawait createClient<paths>({}).POST('/skills', { body: { skillNane: 'x' } })\nexport {}\n"
  )
  const wrong = await compile(join(dir, 'wrong.ts'))
  t.match(wrong.output, /skillNane/, 'a misspelt field does not compile')
})

t.test('@hey-api/openapi-ts: the generated client compiles', async t => {
  const dir = folder(t)
  const made = await run(bin('openapi-ts'), ['-i', document, '-o', join(dir, 'client'), '--silent'], dir)
  t.equal(made.code, 0, made.output.slice(0, 2000))
  writeFileSync(
    join(dir, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...strictly, module: 'esnext', moduleResolution: 'bundler' }, include: ['client'] })
  )
  const compiled = await run(bin('tsc'), ['-p', dir])
  t.equal(compiled.code, 0, compiled.output.slice(0, 3000))
})

const freePort = (): Promise<number> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

t.test('Prism sees no violation between the scenario and the service', async t => {
  const service = await startService({ demo: true })
  t.teardown(() => service.close())
  const origin = await service.app.listen({ host: '127.0.0.1', port: 0 })
  const port = await freePort()
  const prism = spawn(process.execPath, [bin('prism'), 'proxy', document, origin, '-p', String(port), '-h', '127.0.0.1'], {
    cwd: root,
    env: quiet
  })
  t.teardown(() => prism.kill('SIGKILL'))
  let said = ''
  for (const stream of [prism.stdout, prism.stderr])
    stream.on('data', chunk => {
      said += chunk
    })
  for (let i = 0; i < 600 && !said.includes('is listening'); i++) await new Promise(resolve => setTimeout(resolve, 100))
  const baseUrl = `http://127.0.0.1:${port}`
  const key = service.tenants[0]!.key
  const violations: string[] = []
  let calls = 0
  await scenario({
    baseUrl,
    key,
    async fetch(request) {
      const answer = await globalThis.fetch(request)
      calls++
      const seen = answer.headers.get('sl-violations')
      if (seen) violations.push(`${request.method} ${request.url}: ${seen}`)
      return answer
    }
  })
  t.same(violations, [])
  t.ok(calls >= 20, `${calls} calls`)
  t.comment(`${calls} calls`)
  const bad = await globalThis.fetch(`${baseUrl}/skills?limit=many`, { headers: { authorization: `Bearer ${key}` } })
  t.match(bad.headers.get('sl-violations'), /limit/, 'it does see one where there is one')
})
