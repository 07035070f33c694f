import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { TestDatabase } from './databases.ts'

/** A service in a process of its own. */
export interface Replica {
  /** Scheme, host and port. */
  address: string
  kill(signal: NodeJS.Signals): void
}

const file = (name: string) => fileURLToPath(new URL(`./children/${name}`, import.meta.url))

/** Starts one, which ends with the test. With `CLOCK_STEP` in `env`, a SIGUSR2 steps its wall clock. */
export async function startReplica(
  t: Test,
  { database, origin, masterKey, env = {} }: { database: TestDatabase; origin: string; masterKey: Buffer; env?: Record<string, string> }
): Promise<Replica> {
  const child = spawn(
    process.execPath,
    [...(env.CLOCK_STEP ? ['--import', file('stepping-clock.ts')] : []), file('crashing-service.ts'), masterKey.toString('base64'), origin],
    {
      env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE, DOCS: 'false', ...database.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit']
    }
  )
  t.teardown(() => child.kill('SIGKILL'))
  for await (const address of createInterface(child.stdout!)) return { address, kill: signal => void child.kill(signal) }
  throw new Error('the service did not start')
}
