import type { Dispatcher } from 'undici'
import type { ByteBudget, Hold } from '../limits/byte-budget.ts'
import type { Turns } from '../limits/turns.ts'
import { textOf } from './encoding.ts'
import { RowReader, type Rows } from './rows.ts'
import type { Decode, Drift } from './wire/drift.ts'

/** Bytes from which a response is large: it needs a permit, and its rows are read a few at a time. */
export const largeFrom = 262_144
/** Of a response of unknown length so much is read without a permit, as one that is meant for its largest length delays others. */
const unknownFrom = 1_048_576
/** A response that is parsed as a whole takes this many times its bytes: as text, as objects, decoded, and as text again. */
const wholeFactor = 8
/** What is decoded in one turn of the event loop, in bytes. */
const slice = 16_384

/** What all large responses of a client share. */
export interface LargeResponses {
  budget: ByteBudget
  turns: Turns
  drift: Drift
  /** The longest response that is read, in bytes. */
  maxBytes: number
}

/** What a large response came to: its text, or the text around its rows. */
export interface LargeResult {
  text: string
  rows: Rows | undefined
  /** What its bytes are counted in; for who gets the result to release. */
  hold: Hold
}

export interface LargeResponseOptions {
  tenantId: string
  /** How its list is decoded; undefined where the response is wanted as a whole. */
  decodeRows: Decode | undefined
  /** Its `Content-Encoding`: what is compressed is read as a whole, and may be of any length. */
  encoding: string | string[] | undefined
  /** Whether it may have to wait. The response of a change never does: it tells the outcome. */
  waits: boolean
  /** Its length by its head; undefined where that does not say. */
  length: number | undefined
  /** Called once with the result, or with undefined when the text is not JSON. */
  done(result: LargeResult | undefined): void
}

/** A large response as it is read: the upstream is held up while there is no memory for it, and while what has come is decoded. */
export class LargeResponse {
  readonly #shared: LargeResponses
  readonly #options: LargeResponseOptions
  readonly #controller: Dispatcher.DispatchController
  readonly #hold: Hold
  readonly #reader: RowReader | undefined
  #chunks: Buffer[] = []
  #bytes = 0
  #asked = false
  #permitted = false
  #working = false
  #ended = false
  #over = false

  constructor(shared: LargeResponses, controller: Dispatcher.DispatchController, options: LargeResponseOptions) {
    this.#shared = shared
    this.#options = options
    this.#controller = controller
    this.#hold = shared.budget.hold(options.tenantId)
    const { decodeRows, encoding, length } = options
    this.#reader = decodeRows && encoding === undefined ? new RowReader(decodeRows, shared.drift) : undefined
    if (length !== undefined) this.#ask(encoding === undefined ? length : shared.maxBytes)
  }

  /** Whether it is this process that it waits for, not the upstream. */
  get delayed(): boolean {
    return this.#working || (this.#asked && !this.#permitted)
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    if (!this.#permitted) this.#hold.set(Math.max(this.#hold.bytes, this.#bytes))
    if (!this.#asked && this.#bytes > unknownFrom) this.#ask(this.#shared.maxBytes)
    if (!this.#reader || this.#working) return
    this.#working = true
    this.#controller.pause()
    this.#shared.turns.add(this)
  }

  end(): void {
    this.#ended = true
    if (!this.#working) this.#finish()
  }

  /** Gives up what it holds. */
  cancel(): void {
    this.#over = true
    this.#chunks = []
    this.#hold.release()
  }

  /** Decodes some of what has come. */
  step(): boolean {
    if (this.#over) return false
    const chunk = this.#chunks[0]!
    if (chunk.length <= slice) this.#chunks.shift()
    else this.#chunks[0] = chunk.subarray(slice)
    try {
      this.#reader!.read(chunk.subarray(0, slice))
    } catch {
      this.cancel()
      this.#options.done(undefined)
      return false
    }
    if (this.#chunks.length > 0) return true
    this.#working = false
    if (this.#ended) this.#finish()
    else this.#resume()
    return false
  }

  #ask(length: number): void {
    this.#asked = true
    const bytes = Math.min(length, this.#shared.maxBytes) * (this.#reader ? 1 : wholeFactor)
    if (!this.#options.waits) {
      this.#permitted = true
      this.#hold.set(Math.max(this.#bytes, length))
      return
    }
    this.#controller.pause()
    this.#hold.acquire(bytes, () => {
      this.#permitted = true
      this.#resume()
    })
  }

  #resume(): void {
    if (!this.delayed && !this.#over) this.#controller.resume()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    const { done, encoding } = this.#options
    const reader = this.#reader
    const text = reader ? reader.around() : textOf(Buffer.concat(this.#chunks, this.#bytes), encoding, this.#shared.maxBytes)
    // What has no rows is a response like any other: a refusal, or an error page.
    done({ text, rows: reader?.hasRows ? reader.rows : undefined, hold: this.#hold })
  }
}
