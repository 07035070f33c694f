import type { Call, Content } from './call.ts'
import type { LargeResponses } from './large-response.ts'
import { BufferSink, decoded, type RawResponse, type ResponseShape } from './response.ts'
import { dispatch } from './transport.ts'

/** A call whose parameters are a form, and whose response is JSON. */
export class FormContent implements Content<Record<string, unknown>> {
  readonly repeatable = true
  readonly #form: string
  readonly #shape: ResponseShape
  readonly #responses: LargeResponses

  /** @param form `application/x-www-form-urlencoded`, `cmd` included */
  constructor(form: string, shape: ResponseShape, responses: LargeResponses) {
    this.#form = form
    this.#shape = shape
    this.#responses = responses
  }

  async send(call: Call): Promise<Record<string, unknown>> {
    if (call.beforeSend) {
      await call.beforeSend()
      call.beforeSend = undefined
    }
    const { headers, method, safe } = call
    headers['content-type'] = 'application/x-www-form-urlencoded'
    headers.accept = 'application/json'
    headers['accept-encoding'] = 'identity'
    const raw = await new Promise<RawResponse>((resolve, reject) =>
      dispatch({
        call,
        body: withParams(this.#form, call),
        sink: new BufferSink(call, this.#shape.decodeRows, this.#responses, resolve, reject),
        timeoutMs: call.attemptTimeoutMs,
        // A change that was sent is never cancelled: its caller may have disconnected, but its outcome is still worth knowing.
        cancellable: safe
      })
    )
    call.response = raw
    return decoded(raw, this.#shape, method, safe, this.#responses.drift)
  }
}

/** A form with the parameters that belong to the account. */
export const withParams = (form: string, { params }: Call): string => {
  let text = form
  for (const [name, value] of params) text += `&${name}=${encodeURIComponent(value)}`
  return text
}
