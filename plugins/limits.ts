import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { commonBuckets } from '../src/limits/shared-buckets.ts'
import { type Bucket, createBuckets, type Rate } from '../src/limits/token-buckets.ts'
import { Problem, type ProblemType } from '../src/problems/problem.ts'
import { bearerToken } from '../src/tenants/api-keys.ts'
import { subnetOf } from '../src/tenants/networks.ts'
import type { Caller, Tenants } from './tenants.ts'

export interface LimitsOptions {
  /** Of a key, and of a tenant, without settings of its own. */
  key: Rate
  tenant: Rate
  /** Of an address that shows no valid key. */
  address: Rate
  /** How many replicas there are, as far as Redis does not know of more. */
  replicas: number
  /** Without one, every replica has its part of each limit. */
  redis: { url: string; timeout: number } | undefined
}

export interface Limits {
  /** A hook for requests whose tenant is known. */
  caller(request: FastifyRequest, reply: FastifyReply, next: HookHandlerDoneFunction): void
  /** A hook that counts a request against its address. */
  stranger(request: FastifyRequest, reply: FastifyReply, next: HookHandlerDoneFunction): void
  /**
   * Counts a request that is refused, and passes the problem on, or a 429 instead where there were too many. It counts against the key, where the
   * request has one that works; a key that is revoked, expired or used from a foreign network is no longer its owner's business, so that such
   * requests count against the address, as do those without a key.
   */
  refuse(request: FastifyRequest, reply: FastifyReply, problem: Problem, next: (problem: Problem) => void): void
  /** Replicas that share the limits, as far as this one knows. */
  readonly replicas: number
  /** How the shared limits are: `off` without Redis, `away` while each replica holds its own part. */
  readonly redis: 'ok' | 'away' | 'off'
  /** What happened so far, to look at. */
  readonly counts: { readonly refused: Readonly<Record<Scope, number>>; readonly turns: number }
}

type Scope = 'key' | 'tenant' | 'address'

/** The buckets that a request is taken from, in the order of the headers. */
interface Party {
  /** What the rates were made from. */
  own: Rate | undefined
  buckets: readonly { scope: Scope; bucket: Bucket }[]
  policy: string
}

/** Rounds in which a request asks for a lease; each lease is for all that wait for it. */
const rounds = 4
/** Whoever has not called for longest makes room. */
const mostParties = 100_000
/** Buckets that are full again are dropped so often, in milliseconds. */
const sweepEvery = 10_000

/** Refusals without a key that works. A key that was right once, or elsewhere: whoever shows it now must not use up what its owner may do. */
const countsByAddress: ReadonlySet<ProblemType> = new Set([
  'authentication-required',
  'admin-token-required',
  'key-revoked',
  'key-expired',
  'address-not-allowed'
])

/** The window is the time in which an empty bucket becomes full. */
const policyOf = (scope: Scope, { perSecond, burst }: Rate): string =>
  `"${scope}";q=${burst};w=${Math.max(1, Math.ceil(burst / perSecond))}`

/**
 * Rate limits per key, tenant and address: @fastify/rate-limit with a store of token buckets, and the headers of
 * draft-ietf-httpapi-ratelimit-headers-11.
 */
export default fp(
  async (app: FastifyInstance, options: LimitsOptions) => {
    const counts = { refused: { key: 0, tenant: 0, address: 0 }, turns: 0 }
    const onTurn = (up: boolean, reason: string) => {
      counts.turns++
      if (up) app.log.info('Redis shares the rate limits')
      else app.log.warn({ reason }, 'Redis is away: each replica holds its own part of the rate limits')
    }
    const common = options.redis && commonBuckets({ ...options.redis, replicas: options.replicas, onTurn })
    const replicas = () => common?.replicas ?? options.replicas
    const buckets = createBuckets(common, replicas)
    // Apart, so that a flood from many addresses drives no other bucket out; and never in Redis, which is no stranger's to fill.
    const addresses = createBuckets(undefined, replicas)

    const parties = new Map<string, Party>()
    const sweep = setInterval(() => {
      // Together: whoever has a party has the buckets that everyone has.
      parties.clear()
      for (const all of [buckets, addresses]) all.sweep(performance.now())
    }, sweepEvery).unref()

    const partyOf = (name: string, own: Rate | undefined, parts: readonly (readonly [Scope, string, Rate])[]): Party => {
      const party: Party = {
        own,
        buckets: parts.map(([scope, id, rate]) => ({
          scope,
          bucket: (scope === 'address' ? addresses : buckets).bucket(`${scope}/${id}`, rate, scope !== 'address')
        })),
        policy: parts.map(([scope, , rate]) => policyOf(scope, rate)).join(', ')
      }
      if (parties.size >= mostParties) parties.delete(parties.keys().next().value!)
      parties.set(name, party)
      return party
    }
    /** A key and its tenant. The tenant's own rate is also that of each of its keys: one key may use all of it. */
    const ofCaller = ({ keyId, lineage, tenantId, settings }: Caller): Party => {
      const own = settings.rateLimit
      const known = parties.get(keyId)
      // Settings that were read again are another object: they hold from here on.
      if (known && known.own === own) return known
      return partyOf(keyId, own, [
        // A key and the one that it is rotated to share a bucket, or the grace would double the rate.
        ['key', lineage, own ?? options.key],
        ['tenant', tenantId, own ?? options.tenant]
      ])
    }
    const addressOf = (request: FastifyRequest): string => subnetOf(request.callerAddress)
    const ofAddress = (address: string): Party =>
      parties.get(address) ?? partyOf(address, undefined, [['address', address, options.address]])

    /** Takes a request from all its buckets or from none: 0, or the milliseconds to wait. Calls back at once unless tokens have to be fetched. */
    const take = (party: Party, round: number, done: (wait: number) => void): void => {
      const now = performance.now()
      for (const [i, { scope, bucket }] of party.buckets.entries()) {
        const from = scope === 'address' ? addresses : buckets
        const taken = from.take(bucket, now)
        if (taken === 'yes') continue
        for (const { bucket } of party.buckets.slice(0, i)) buckets.giveBack(bucket)
        if (taken === 'no' || round === rounds) {
          counts.refused[scope]++
          done(from.wait(bucket, now))
          return
        }
        bucket.waiting++
        void taken.then(() => {
          bucket.waiting--
          take(party, round + 1, done)
        })
        return
      }
      done(0)
    }

    /** The plugin counts up to `max` in a window; told 0 or more than 1, it lets pass or refuses, and its `ttl` is the time to wait. */
    class BucketStore {
      incr(name: string, callback: (error: Error | null, result?: { current: number; ttl: number }) => void) {
        take(parties.get(name)!, 1, wait => callback(null, { current: wait === 0 ? 0 : 2, ttl: wait }))
      }
      child() {
        return this
      }
    }
    await app.register(rateLimit, { global: false, max: 1, timeWindow: 1000, store: BucketStore as never })
    const limitCaller = app.createRateLimit({ keyGenerator: request => request.tenant.keyId })
    const limitAddress = app.createRateLimit({ keyGenerator: addressOf })

    const describe = (reply: FastifyReply, party: Party): void => {
      const now = performance.now()
      let least = Number.POSITIVE_INFINITY
      let at = party.buckets[0]!
      for (const here of party.buckets) {
        const left = (here.scope === 'address' ? addresses : buckets).left(here.bucket, now)
        if (left >= least) continue
        least = left
        at = here
      }
      // In a second there are more: the next token, or all that a second brings.
      reply.header('ratelimit-policy', party.policy)
      reply.header('ratelimit', `"${at.scope}";r=${least};t=${Math.max(1, Math.ceil(1 / at.bucket.perSecond))}`)
    }
    const limit = (
      limiter: typeof limitCaller,
      party: Party,
      request: FastifyRequest,
      reply: FastifyReply,
      next: (error?: Error) => void
    ): void => {
      limiter(request).then(outcome => {
        describe(reply, party)
        if (outcome.isAllowed || !outcome.isExceeded) return next()
        next(
          new Problem('rate-limited', 'Too many requests in too short a time.', {
            headers: { 'retry-after': String(Math.max(1, outcome.ttlInSeconds)) }
          })
        )
      }, next)
    }

    /** Whose key a request shows; outside the routes that need one, keys in memory are recognized, and nothing is looked up. */
    const callerOf = (request: FastifyRequest): Caller | undefined => {
      request.tenant ??= (app as { tenants?: Tenants }).tenants?.cachedCaller(
        bearerToken(request.headers.authorization),
        request.callerAddress
      ) as Caller
      return request.tenant
    }
    const anyone: onRequestHookHandler = (request, reply, next) =>
      callerOf(request) ? limits.caller(request, reply, next) : limits.stranger(request, reply, next)

    const limits: Limits = {
      caller: (request, reply, next) => limit(limitCaller, ofCaller(request.tenant), request, reply, next),
      stranger: (request, reply, next) => limit(limitAddress, ofAddress(addressOf(request)), request, reply, next),
      refuse(request, reply, problem, next) {
        // Not the caller's doing.
        if (problem.status >= 500) return next(problem)
        request.refusal = problem.type
        const counted = (tooMany?: Error) => next(tooMany === undefined ? problem : (tooMany as Problem))
        if (!countsByAddress.has(problem.type) && callerOf(request)) limits.caller(request, reply, counted)
        else limits.stranger(request, reply, counted)
      },
      get replicas() {
        return replicas()
      },
      get redis() {
        return common ? (common.up ? 'ok' : 'away') : 'off'
      },
      counts
    }
    app.decorate('limits', limits)
    app.decorateRequest('refusal', undefined)
    // What anyone may read: pages, the document.
    app.addHook('onRoute', route => {
      if (route.config?.operation || route.config?.refuses || route.config?.always) return
      route.onRequest = [...([route.onRequest ?? []].flat() as onRequestHookHandler[]), anyone]
    })
    app.addHook('onClose', async () => {
      clearInterval(sweep)
      await common?.close()
    })
  },
  { name: 'limits', dependencies: ['caller-address'] }
)

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits
  }
  interface FastifyRequest {
    /** Why it was refused before it was served, also where a 429 is answered in its place. */
    refusal: ProblemType | undefined
  }
  interface FastifyContextConfig {
    /** Probes and metrics: answered always, whatever the load and whoever asks. */
    always?: true
  }
}
