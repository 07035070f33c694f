/**
 * Whether a caller has disconnected before its response was sent. Its AbortSignal is made when it is first asked for. Fastify's `request.signal` is
 * none of that kind: it is aborted as soon as a body has been read.
 */
export class Disconnect {
  #aborted = false
  #controller: AbortController | undefined

  get aborted(): boolean {
    return this.#aborted
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#aborted) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.#aborted = true
    this.#controller?.abort()
  }
}
