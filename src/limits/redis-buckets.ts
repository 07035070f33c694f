import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { RateLimitBucket, SharedBuckets } from './rate-limit-bucket.ts'

export interface RedisOptions {
  url: string
  /** Timeout of a command, in milliseconds. */
  timeoutMs: number
  /** Minimum number of replicas, whatever Redis knows of. */
  replicas: number
  /** Called when Redis becomes unavailable or available. */
  onStateChange?: (up: boolean, reason: string) => void
}

export interface RedisBuckets extends SharedBuckets {
  /** Ends the connection. */
  close(): Promise<void>
}

/**
 * Takes up to `want` tokens of each bucket, all in one round trip. A bucket is one number: the time at which it will be full (GCRA). Returns
 * three numbers per bucket: tokens granted, tokens left, and the milliseconds until the next token when there is none.
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

/** Records that this replica is alive and returns how many are. It writes, so that it fails on a Redis without memory. */
const heartbeatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`

interface Scripts {
  voxgateLease(keys: number, ...args: (string | number)[]): Promise<number[]>
  voxgateHeartbeat(keys: number, ...args: (string | number)[]): Promise<number>
}

const prefix = 'voxgate:rate:'
const replicasKey = 'voxgate:replicas'
/** Milliseconds between heartbeats while Redis is available and while it is not, and after the last one of a replica until it counts as gone. */
const heartbeatIntervalMs = 1_000
const probeIntervalMs = 100
const replicaTimeoutMs = 5_000
/** A connection without a response for this long is closed: its host may have disappeared without closing it. Milliseconds. */
const maxSilenceMs = 2_000

/** After failed leases, heartbeats alone do not make Redis available for this long; the time doubles while leases keep failing. Milliseconds. */
const minBackoffMs = 250
const maxBackoffMs = 10_000

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/** The shared buckets in Redis. While it is unreachable, frozen or full, `up` is false, and it is probed ten times a second. */
export function createRedisBuckets({ url, timeoutMs, replicas: minReplicas, onStateChange }: RedisOptions): RedisBuckets {
  const id = randomUUID()
  const redis = new Redis(url, {
    connectTimeout: 500,
    commandTimeout: 1_000,
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    retryStrategy: () => probeIntervalMs,
    scripts: { voxgateLease: { lua: leaseScript }, voxgateHeartbeat: { lua: heartbeatScript } }
  })
  const scripts = redis as unknown as Scripts
  // Every command reports its own failure; without a listener ioredis writes to the console.
  redis.on('error', () => {})

  let up = false
  let replicas = minReplicas
  let closed = false
  let lastHeartbeatAt = performance.now()
  let backoffMs = 0
  let retryAt = 0

  const setUp = (now: boolean, reason: string) => {
    if (up === now || closed) return
    up = now
    onStateChange?.(now, reason)
  }
  /** Rejects after the timeout. A process that was busy itself looks for the reply once more before that. */
  const inTime = <T>(reply: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => setImmediate(() => reject(new Error('timeout'))), timeoutMs)
      reply.then(resolve, reject).finally(() => clearTimeout(timer))
    })

  let timer: NodeJS.Timeout | undefined
  let isBeating = false
  const heartbeat = async () => {
    if (isBeating || closed) return
    isBeating = true
    clearTimeout(timer)
    try {
      const alive = await inTime(scripts.voxgateHeartbeat(1, replicasKey, id, replicaTimeoutMs))
      if (!isCount(alive)) throw new Error('malformed reply')
      replicas = Math.max(minReplicas, alive)
      lastHeartbeatAt = performance.now()
      if (lastHeartbeatAt >= retryAt) setUp(true, 'it responds')
    } catch (error) {
      setUp(false, (error as Error).message)
      if (redis.status === 'ready' && performance.now() - lastHeartbeatAt > maxSilenceMs) {
        lastHeartbeatAt = performance.now()
        redis.disconnect(true)
      }
    } finally {
      isBeating = false
      if (!closed) timer = setTimeout(heartbeat, up ? heartbeatIntervalMs : probeIntervalMs).unref()
    }
  }
  redis.on('ready', () => {
    lastHeartbeatAt = performance.now()
    void heartbeat()
  })
  redis.on('close', () => setUp(false, 'the connection broke'))

  /** Buckets that ask for a lease in one turn of the event loop. */
  let batch: { bucket: RateLimitBucket; done: () => void }[] = []
  const flush = async () => {
    const leases = batch
    batch = []
    const args: (string | number)[] = []
    const wanted = leases.map(({ bucket }) => bucket.wanted(replicas))
    for (const [i, { bucket }] of leases.entries()) args.push(bucket.rate.perSecond, bucket.rate.burst, wanted[i]!)
    try {
      if (!up) return
      const reply = await inTime(scripts.voxgateLease(leases.length, ...leases.map(({ bucket }) => prefix + bucket.id), ...args))
      if (!up) return
      // Anything but a number, or more tokens than were asked for, would let every request pass.
      if (
        !Array.isArray(reply) ||
        reply.length !== leases.length * 3 ||
        !reply.every(isCount) ||
        wanted.some((max, i) => reply[i * 3]! > max)
      )
        throw new Error('malformed reply')
      backoffMs = 0
      const now = performance.now()
      for (const [i, { bucket }] of leases.entries()) {
        const [tokens = 0, left = 0, emptyMs = 0] = reply.slice(i * 3)
        bucket.addLease(tokens, left, emptyMs, now)
      }
    } catch (error) {
      if (up) {
        backoffMs = Math.min(maxBackoffMs, Math.max(minBackoffMs, backoffMs * 2))
        retryAt = performance.now() + backoffMs
      }
      setUp(false, (error as Error).message)
      void heartbeat()
    } finally {
      for (const { done } of leases) done()
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
