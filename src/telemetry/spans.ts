import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace
} from '@opentelemetry/api'
import type { RequestTrace } from './request-trace.ts'
import { version } from './version.ts'

/**
 * Spans for OpenTelemetry, by its semantic conventions. Only where the operator has registered an SDK before the start
 * (`NODE_OPTIONS=--import`); otherwise there is no tracer, and nothing of this runs.
 */

/** The tracer of the SDK that is registered; undefined without one. */
export function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider()
  return provider instanceof ProxyTracerProvider ? provider.getDelegateTracer('voxgate', version) : provider.getTracer('voxgate', version)
}

/** The context that a request comes from: a span of somebody's who instruments the server already, or the caller's. */
function contextOf({ parent, state }: RequestTrace): Context {
  const active = context.active()
  if (trace.getSpanContext(active) || !parent) return active
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: Number.parseInt(parent.flags, 16),
    isRemote: true,
    ...(state === undefined ? {} : { traceState: createTraceState(state) })
  })
}

/** Begins a request's span, and runs what follows in it. The path is left out: names in it may be a customer's. */
export function startRequest(tracer: Tracer, request: RequestTrace, method: string, route: string | undefined, then: () => void): void {
  const parent = contextOf(request)
  const span = tracer.startSpan(
    route === undefined ? method : `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, ...(route === undefined ? {} : { 'http.route': route }) } },
    parent
  )
  request.span = span
  context.with(trace.setSpan(parent, span), then)
}

/** Ends a request's span. */
export function endRequest(request: RequestTrace, status: number, tenantId: string | undefined): void {
  const { span, problem, disconnect } = request
  if (!span) return
  request.span = undefined
  span.setAttribute('http.response.status_code', status)
  if (tenantId !== undefined) span.setAttribute('voxgate.tenant', tenantId)
  const error = problem ?? (disconnect.aborted ? 'caller-gone' : undefined)
  if (error !== undefined) span.setAttribute('error.type', error)
  // To a server, what the caller did wrong is no error.
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

/** Begins the span of one attempt at the upstream. */
export function startAttempt(tracer: Tracer, request: RequestTrace | undefined, method: string, origin: string, resend: number): Span {
  const { hostname, port, protocol } = new URL(origin)
  const attributes: Attributes = {
    'http.request.method': 'POST',
    'url.full': `${origin}/platform_api`,
    'server.address': hostname,
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    'rpc.method': method
  }
  if (resend > 0) attributes['http.request.resend_count'] = resend
  const parent = request?.span ? trace.setSpan(context.active(), request.span) : context.active()
  return tracer.startSpan(`voximplant/${method}`, { kind: SpanKind.CLIENT, attributes }, parent)
}

/** Ends it. */
export function endAttempt(span: Span, outcome: string, status: number | undefined): void {
  if (status !== undefined) span.setAttribute('http.response.status_code', status)
  if (outcome !== 'ok') span.setAttribute('error.type', outcome).setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

/** The headers by which the upstream can take a span for its parent. */
export function headersOf(span: Span): { traceparent: string; tracestate?: string } {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const state = traceState?.serialize()
  return { traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`, ...(state ? { tracestate: state } : {}) }
}
