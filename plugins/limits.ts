import rateLimit, { type FastifyRateLimitStore } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import fp from 'fastify-plugin'
import { subnetOf } from '../src/config/networks.ts'
import type { Config } from '../src/config.ts'
import { RateLimiter, type RateLimitSubject } from '../src/limits/rate-limiter.ts'
import { createRedisBuckets } from '../src/limits/redis-buckets.ts'
import { Problem, type ProblemType } from '../src/problems/problem.ts'
import { bearerToken } from '../src/tenants/api-keys.ts'
import type { Caller } from '../src/tenants/caller.ts'
import type { TenantDirectory } from '../src/tenants/directory.ts'

type Hook = (request: FastifyRequest, reply: FastifyReply, next: HookHandlerDoneFunction) => void

export interface Limits {
  /** Counts a request against its key and tenant, which have to be known. */
  readonly limitCaller: Hook
  /** Counts a request against its address. */
  readonly limitAddress: Hook
  /**
   * Counts a rejected request, and passes on its problem, or a 429 where there were too many. It counts against the key if it has one that works,
   * otherwise against the address.
   */
  reject(request: FastifyRequest, reply: FastifyReply, problem: Problem, next: (problem: Problem) => void): void
  readonly limiter: RateLimiter
  /** `off` without Redis; `unavailable` while each replica enforces its own part of the limits. */
  readonly redis: 'ok' | 'unavailable' | 'off'
  /** How often Redis has become available or unavailable. */
  readonly redisStateChanges: number
}

/** Problems of requests without a key that works. Of a key that is revoked or used elsewhere, the owner's limit is not for its finder. */
const countsByAddress: ReadonlySet<ProblemType> = new Set([
  'authentication-required',
  'admin-token-required',
  'key-revoked',
  'key-expired',
  'address-not-allowed'
])

/** @fastify/rate-limit with token buckets as its store, and the headers of draft-ietf-httpapi-ratelimit-headers-11. */
export default fp(
  async (app: FastifyInstance, { redisUrl, redisTimeoutMs, replicas, ...rates }: Config['limits']) => {
    let redisStateChanges = 0
    const onStateChange = (up: boolean, reason: string) => {
      redisStateChanges++
      if (up) app.log.info('Redis shares the rate limits')
      else app.log.warn({ reason }, 'Redis is unavailable: each replica enforces its own part of the rate limits')
    }
    const redis = redisUrl === '' ? undefined : createRedisBuckets({ url: redisUrl, timeoutMs: redisTimeoutMs, replicas, onStateChange })
    const limiter = new RateLimiter({
      rates: {
        key: { perSecond: rates.keyRate, burst: rates.keyBurst },
        tenant: { perSecond: rates.tenantRate, burst: rates.tenantBurst },
        address: { perSecond: rates.addressRate, burst: rates.addressBurst }
      },
      replicas,
      shared: redis
    })

    /** A token bucket has no window: `current` is what is taken of the burst, `ttl` the time until the next token. */
    class TokenBucketStore implements FastifyRateLimitStore {
      incr(id: string, callback: (error: Error | null, result?: { current: number; ttl: number }) => void) {
        const subject = limiter.find(id)
        if (!subject) return callback(new Error(`the rate limit of ${id} is no longer in memory`))
        const report = (ttl: number) => callback(null, { current: subject.max - (ttl > 0 ? -1 : limiter.remaining(subject)), ttl })
        const ttl = limiter.take(subject)
        if (typeof ttl === 'number') report(ttl)
        else ttl.then(report, callback)
      }
      child() {
        return this
      }
    }
    await app.register(rateLimit, { global: false, store: TokenBucketStore, max: (_request, id) => limiter.find(id)?.max ?? 0 })

    const hookFor = (subjectOf: (request: FastifyRequest) => RateLimitSubject): Hook => {
      const check = app.createRateLimit({ keyGenerator: request => subjectOf(request).id })
      return (request, reply, next) => {
        check(request).then(outcome => {
          const subject = subjectOf(request)
          reply.headers({ 'ratelimit-policy': subject.policy, ratelimit: limiter.describe(subject) })
          if (outcome.isAllowed || !outcome.isExceeded) return next()
          const headers = { 'retry-after': String(Math.max(1, outcome.ttlInSeconds)) }
          next(new Problem('rate-limited', 'Too many requests in too short a time.', { headers }))
        }, next)
      }
    }
    const limitCaller = hookFor(request => limiter.subjectOfCaller(request.tenant))
    const limitAddress = hookFor(request => limiter.subjectOfAddress(subnetOf(request.callerAddress)))

    /** The caller whose key a request has. Where no route requires one, only keys in memory are recognized. */
    const callerOf = (request: FastifyRequest): Caller | undefined => {
      request.tenant ??= (app as { tenants?: TenantDirectory }).tenants?.cachedCaller(
        bearerToken(request.headers.authorization),
        request.callerAddress
      ) as Caller
      return request.tenant
    }

    app.decorate('limits', {
      limitCaller,
      limitAddress,
      reject(request, reply, problem, next) {
        // Not the caller's fault.
        if (problem.status >= 500) return next(problem)
        request.rejection = problem.type
        const limit = !countsByAddress.has(problem.type) && callerOf(request) ? limitCaller : limitAddress
        limit(request, reply, tooMany => next(tooMany instanceof Problem ? tooMany : problem))
      },
      limiter,
      get redis() {
        return redis ? (redis.up ? 'ok' : 'unavailable') : 'off'
      },
      get redisStateChanges() {
        return redisStateChanges
      }
    })
    app.decorateRequest('rejection', undefined)
    // Pages and the document, which need no key.
    app.addHook('onRoute', route => {
      if (route.config?.operation || route.config?.refuses || route.config?.always) return
      const limit: Hook = (request, reply, next) => (callerOf(request) ? limitCaller : limitAddress)(request, reply, next)
      route.onRequest = [...[route.onRequest ?? []].flat(), limit]
    })
    app.addHook('onClose', async () => {
      limiter.close()
      await redis?.close()
    })
  },
  { name: 'limits', dependencies: ['caller-address'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits
  }
  interface FastifyRequest {
    /** Why the request was rejected before it was served, also where the response is a 429. */
    rejection: ProblemType | undefined
  }
  interface FastifyContextConfig {
    /** Probes and metrics: served whatever the load and the rate. */
    always?: true
  }
}
