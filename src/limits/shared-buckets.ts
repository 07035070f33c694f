import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { type Bucket, type Common, sliceOf } from './token-buckets.ts'

export interface RedisOptions {
  url: string
  /** How long Redis may take for an answer, in milliseconds, before it is taken for away. */
  timeout: number
  /** How many replicas there are at least, whatever Redis knows of. */
  replicas: number
  /** Told when Redis goes and comes back. */
  onTurn?: (up: boolean, reason: string) => void
}

export interface CommonBuckets extends Common {
  /** Ends the connection. */
  close(): Promise<void>
}

/**
 * Takes up to `want` tokens of each bucket, all in one round trip. A bucket is one number: the time at which it will be full (GCRA). Answers
 * for each: granted, left, and milliseconds until there is one when there is none.
 */
const leaseScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for i, key in ipairs(KEYS) do
  local rate = tonumber(ARGV[i * 3 - 2]) / 1000
  local burst = tonumber(ARGV[i * 3 - 1])
  local want = tonumber(ARGV[i * 3])
  local full = tonumber(redis.call('GET', key) or now)
  if full < now then full = now end
  local level = burst - (full - now) * rate
  local granted = math.max(0, math.min(want, math.floor(level + 0.000001)))
  if granted > 0 then
    full = full + granted / rate
    redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil(full - now) + 1000)
  end
  level = level - granted
  answer[#answer + 1] = granted
  answer[#answer + 1] = math.max(0, math.floor(level))
  answer[#answer + 1] = level >= 1 and 0 or math.ceil((1 - level) / rate)
end
return answer
`

/** Tells that this replica is alive, and answers how many are. It writes, so that a Redis that is full fails it. */
const beatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`

interface Scripts {
  voxgateLease(keys: number, ...args: (string | number)[]): Promise<number[]>
  voxgateBeat(keys: number, ...args: (string | number)[]): Promise<number>
}

const prefix = 'voxgate:rate:'
const replicasKey = 'voxgate:replicas'
/** Milliseconds: between signs of life while Redis is there, and while it is not; a replica without one for so long has gone. */
const beatEvery = 1_000
const probeEvery = 100
const goneAfter = 5_000
/** A connection that has been silent for so long is given up: the host behind it may have gone without a word. Milliseconds. */
const silentFor = 2_000

/** After leases that failed, signs of life are not enough for so long, in milliseconds; twice as long each time that leases fail again at once. */
const leastDistrust = 250
const mostDistrust = 10_000

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** The common buckets in Redis. While it is away, frozen or full, `up` is false, and it is asked again ten times a second. */
export function commonBuckets({ url, timeout, replicas: atLeast, onTurn }: RedisOptions): CommonBuckets {
  const id = randomUUID()
  const redis = new Redis(url, {
    connectTimeout: 500,
    commandTimeout: 1_000,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    retryStrategy: () => probeEvery,
    scripts: { voxgateLease: { lua: leaseScript }, voxgateBeat: { lua: beatScript } }
  })
  const scripts = redis as unknown as Scripts
  // What is wrong shows in every answer; without a listener ioredis writes to the console.
  redis.on('error', () => {})

  let up = false
  let replicas = atLeast
  let closed = false
  let heard = performance.now()
  let distrust = 0
  let trustFrom = 0

  const turn = (now: boolean, reason: string) => {
    if (up === now || closed) return
    up = now
    onTurn?.(now, reason)
  }
  /** An answer in time; a late one is dropped. A process that was busy itself looks once more before it gives up. */
  const inTime = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => setImmediate(() => reject(new Error('no answer in time'))), timeout)
      answer.then(resolve, reject).finally(() => clearTimeout(timer))
    })

  let timer: NodeJS.Timeout | undefined
  let beating = false
  const beat = async () => {
    if (beating || closed) return
    beating = true
    clearTimeout(timer)
    try {
      const alive = await inTime(scripts.voxgateBeat(1, replicasKey, id, goneAfter))
      if (!isCount(alive)) throw new Error('an answer that is none')
      replicas = Math.max(atLeast, alive)
      heard = performance.now()
      if (heard >= trustFrom) turn(true, 'it answers')
    } catch (error) {
      turn(false, (error as Error).message)
      if (redis.status === 'ready' && performance.now() - heard > silentFor) {
        heard = performance.now()
        redis.disconnect(true)
      }
    } finally {
      beating = false
      if (!closed) timer = setTimeout(beat, up ? beatEvery : probeEvery).unref()
    }
  }
  redis.on('ready', () => {
    heard = performance.now()
    void beat()
  })
  redis.on('close', () => turn(false, 'the connection broke'))

  /** Buckets to lease for, of one turn of the event loop. */
  let batch: { bucket: Bucket; done: () => void }[] = []
  const flush = async () => {
    const asked = batch
    batch = []
    const args: (string | number)[] = []
    const wanted = asked.map(({ bucket }) => Math.max(sliceOf(bucket, replicas), bucket.waiting))
    for (const [i, { bucket }] of asked.entries()) args.push(bucket.perSecond, bucket.burst, wanted[i]!)
    try {
      if (!up) return
      const answer = await inTime(scripts.voxgateLease(asked.length, ...asked.map(({ bucket }) => prefix + bucket.id), ...args))
      if (!up) return
      // What is no number would let everyone pass, and so would more tokens than were asked for.
      if (
        !Array.isArray(answer) ||
        answer.length !== asked.length * 3 ||
        !answer.every(isCount) ||
        wanted.some((most, i) => answer[i * 3]! > most)
      )
        throw new Error('an answer that is none')
      distrust = 0
      const now = performance.now()
      for (const [i, { bucket }] of asked.entries()) {
        bucket.tokens += answer[i * 3]!
        bucket.left = answer[i * 3 + 1]!
        bucket.at = now
        bucket.emptyUntil = now + answer[i * 3 + 2]!
      }
    } catch (error) {
      if (up) {
        distrust = Math.min(mostDistrust, Math.max(leastDistrust, distrust * 2))
        trustFrom = performance.now() + distrust
      }
      turn(false, (error as Error).message)
      void beat()
    } finally {
      for (const { done } of asked) done()
    }
  }

  return {
    get up() {
      return up
    },
    get replicas() {
      return replicas
    },
    lease(bucket) {
      return new Promise(done => {
        if (batch.push({ bucket, done }) === 1) queueMicrotask(flush)
      })
    },
    async close() {
      closed = true
      up = false
      clearTimeout(timer)
      if (redis.status === 'ready') await inTime(redis.zrem(replicasKey, id)).catch(() => {})
      redis.disconnect()
    }
  }
}
