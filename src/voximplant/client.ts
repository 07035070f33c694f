import type { Tracer } from '@opentelemetry/api'
import type { Config } from '../config.ts'
import type { ByteBudget } from '../limits/byte-budget.ts'
import { Turns } from '../limits/turns.ts'
import { Bulkhead } from './bulkhead.ts'
import { Call, type CallInit, type Content } from './call.ts'
import { compose } from './compose.ts'
import { CallCounters } from './counters.ts'
import { type Download, DownloadContent } from './download.ts'
import { FormContent } from './form.ts'
import type { LargeResponses } from './large-response.ts'
import type { ResponseShape } from './response.ts'
import { circuitBreaker } from './stages/circuit-breaker.ts'
import { readmitted } from './stages/readmitted.ts'
import { reauthorized } from './stages/reauthorized.ts'
import { retried } from './stages/retried.ts'
import { traced } from './stages/traced.ts'
import { withAccount } from './stages/with-account.ts'
import { withSlot } from './stages/with-slot.ts'
import { type TargetOptions, Targets } from './targets.ts'
import { createTokens } from './token.ts'
import { UploadContent, type UploadParts } from './upload.ts'
import type { Drift } from './wire/drift.ts'

export interface ClientOptions {
  config: Pick<Config, 'upstream' | 'retry' | 'circuitBreaker' | 'bulkhead' | 'uploads'>
  /** Counts the bytes of responses that are held in memory. */
  budget: ByteBudget
  drift: Drift
  /** Where spans go, if anywhere. */
  tracer?: Tracer | undefined
  onBreakerStateChange?: TargetOptions['onStateChange']
  /** Additional certificate authorities (PEM). */
  ca?: string | undefined
}

/** The client of the upstream. */
export interface Client {
  /** Makes one call. Rejects with UpstreamError when the upstream rejects it, with Problem when no response could be had. */
  call<Result extends object>(call: CallInit<Result>): Promise<Result>
  /** What calls send: a form, `cmd` included; a file with parameters; a form to which the response is a file. */
  form(form: string, shape: ResponseShape): Content<Record<string, unknown>>
  upload(parts: UploadParts, shape: ResponseShape): Content<Record<string, unknown>>
  download(form: string, acceptEncoding: string | undefined): Content<Download>
  readonly counters: Readonly<CallCounters>
  readonly bulkhead: Bulkhead
  /** Tenants and hosts whose breakers are open now. */
  open(): { tenants: string[]; hosts: string[] }
  /** Closes a tenant's connections: its credentials or host have changed. Calls in flight end normally. */
  forget(tenantId: string): void
  close(): Promise<void>
}

export function createClient(options: ClientOptions): Client {
  const { config, budget, drift, tracer } = options
  const { upstream, uploads } = config
  const counters = new CallCounters()
  const bulkhead = new Bulkhead(config.bulkhead)
  const tokens = createTokens()
  const responses: LargeResponses = { budget, turns: new Turns(), drift, maxBytes: upstream.maxResponseBytes }
  const targets = new Targets({
    pool: { ...upstream, ca: options.ca },
    breaker: config.circuitBreaker,
    retry: config.retry,
    counters,
    onStateChange: options.onBreakerStateChange
  })

  const callUpstream = compose<Call, Promise<object>>(
    withAccount(targets), // the account of the tenant, or the child account that its caller names
    withSlot(bulkhead), // a slot, or 429
    reauthorized(tokens, counters), // once more with a new token when the upstream rejects the token
    retried(config.retry, counters), // again, where that cannot double an effect
    readmitted(targets, tokens), // whether the caller may still call, right before each attempt, which it signs
    circuitBreaker, // not while the upstream is down
    traced(tracer, counters) // a span and a count per attempt
  )(call => call.content.send(call))

  return {
    // What comes of a call is what its content makes of the response.
    call: <Result extends object>(init: CallInit<Result>) => callUpstream(new Call(init)) as Promise<Result>,
    form: (form, shape) => new FormContent(form, shape, responses),
    upload: (parts, shape) =>
      new UploadContent(parts, shape, responses, {
        timeoutMs: uploads.timeoutMs,
        stallTimeoutMs: upstream.headersTimeoutMs,
        responseTimeoutMs: upstream.timeoutMs
      }),
    download: (form, acceptEncoding) => new DownloadContent(form, acceptEncoding, upstream.downloadTimeoutMs),
    counters,
    bulkhead,
    open: () => targets.open(),
    forget: tenantId => targets.forget(tenantId),
    close: () => targets.close()
  }
}
