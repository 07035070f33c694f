import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { OperatorError } from '../problems/operator-error.ts'
import { Problem } from '../problems/problem.ts'
import { type EncryptionContext, type KeyProvider, partsOf, SealError, toAad } from './vault.ts'

/**
 * A master key that never leaves HashiCorp Vault or OpenBao: data keys are wrapped by its transit engine over HTTP.
 * https://developer.hashicorp.com/vault/api-docs/secret/transit
 */
export interface TransitOptions {
  /** Scheme, host and port. */
  address: string
  mount: string
  key: string
  token?: string
  /** Read again when the token is refused: agents renew it there. */
  tokenFile?: string
  /** Further certificate authorities to trust (PEM). */
  ca?: string
}

/** The key server does not respond, or rejects a request for a reason other than the envelope. */
export class KeyServerError extends OperatorError {
  /** A retry can succeed. */
  readonly transient: boolean
  constructor(message: string, { transient = false, cause }: { transient?: boolean; cause?: unknown } = {}) {
    super(message, { cause })
    this.transient = transient
  }

  toProblem(): Problem {
    return new Problem('store-unavailable', 'The key server is unavailable.', { cause: this })
  }
}

/** Milliseconds: to connect, and for one whole question. */
const connectTimeout = 2_000
const timeout = 5_000
/** The pause before the one repetition. */
const pause = 100
const longestAnswer = 1_048_576

const ciphertext = /^vault:v(\d{1,9}):[A-Za-z0-9+/=]+$/

/** What the engine says of a ciphertext that is not its own, was changed, or belongs elsewhere. */
const doesNotOpen = /message authentication failed|invalid ciphertext|unable to decrypt|illegal base64/i

/** The transit engine as a holder of master keys: each version of its key is one. Throws KeyServerError, SealError. */
export function transitKey({ address, mount, key, token, tokenFile, ca }: TransitOptions): KeyProvider {
  const agent = new Agent({
    connect: { timeout: connectTimeout, ...(ca ? { ca } : {}) },
    headersTimeout: timeout,
    bodyTimeout: timeout,
    maxResponseSize: longestAnswer
  })
  const origin = new URL(address).origin
  const name = `transit key ${mount}/${key} at ${origin}`
  const prefix = `transit-${hash('sha256', `${mount}/${key}`, 'hex').slice(0, 8)}-v`
  const path = (verb: string) => `/v1/${mount.split('/').map(encodeURIComponent).join('/')}/${verb}/${encodeURIComponent(key)}`
  const readToken = (): string => (tokenFile ? readFileSync(tokenFile, 'utf8').trim() : (token ?? ''))
  let current = readToken()
  /** Whether there is another token by now. */
  const renewed = (): boolean => {
    const before = current
    current = readToken()
    return current !== before
  }

  const once = async (verb: 'encrypt' | 'decrypt', body: object): Promise<{ status: number; answer: Answer }> => {
    try {
      const response = await agent.request({
        origin,
        path: path(verb),
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-vault-token': current, 'x-vault-request': 'true' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeout)
      })
      const text = await response.body.text()
      return { status: response.statusCode, answer: parsed(text) }
    } catch (cause) {
      const { message, code } = cause as { message?: string; code?: string }
      throw new KeyServerError(`the ${name} cannot be reached: ${message || code}`, { transient: true, cause })
    }
  }

  const ask = async (verb: 'encrypt' | 'decrypt', body: object): Promise<Record<string, unknown>> => {
    let last: KeyServerError | undefined
    for (let attempt = 0; attempt < 2; attempt++) {
      if (attempt > 0) await sleep(pause)
      try {
        const { status, answer } = await once(verb, body)
        if (status === 200 && answer.data) return answer.data
        const said = (answer.errors ?? []).join('; ').trim().slice(0, 300) || 'nothing more'
        if (status === 400 && verb === 'decrypt' && doesNotOpen.test(said)) throw new SealError()
        last = new KeyServerError(`the ${name} answers ${status} to ${verb}: ${said}${adviceFor(status)}`, {
          transient: status === 429 || status >= 500 || (status === 403 && renewed())
        })
      } catch (error) {
        if (!(error instanceof KeyServerError)) throw error
        last = error
      }
      if (!last.transient) throw last
    }
    throw last
  }

  const wrap = async (plain: Buffer, context: EncryptionContext): Promise<string> => {
    const data = await ask('encrypt', { plaintext: plain.toString('base64'), associated_data: toAad(context).toString('base64') })
    const sealed = String(data.ciphertext)
    const version = ciphertext.exec(sealed)?.[1]
    if (version === undefined) throw new KeyServerError(`the ${name} answered no ciphertext: is its type an AEAD, such as aes256-gcm96?`)
    return `v1.${prefix}${version}.${Buffer.from(sealed).toString('base64url')}`
  }
  const unwrap = async (envelope: string, context: EncryptionContext): Promise<Buffer> => {
    const { keyId, bytes } = partsOf(envelope)
    const sealed = bytes.toString()
    const version = ciphertext.exec(sealed)?.[1]
    if (version === undefined || keyId !== `${prefix}${version}`) throw new SealError()
    const data = await ask('decrypt', { ciphertext: sealed, associated_data: toAad(context).toString('base64') })
    return Buffer.from(String(data.plaintext), 'base64')
  }

  /** Servers older than the parameter ignore it: then a row could be moved elsewhere and still open. */
  let honest: Promise<void> | undefined
  const checkAssociatedData = async () => {
    const probe = await wrap(Buffer.from('voxgate'), ['probe', 1])
    const moved = await unwrap(probe, ['probe', 2]).catch(error => {
      if (error instanceof SealError) return undefined
      throw error
    })
    if (moved) throw new KeyServerError(`the ${name} ignores associated_data: it needs Vault 1.9 or OpenBao, and a key that is not derived`)
  }

  return {
    name,
    async current() {
      honest ??= checkAssociatedData()
      try {
        await honest
      } catch (error) {
        honest = undefined
        throw error
      }
      return partsOf(await wrap(Buffer.from('voxgate'), ['probe', 1])).keyId
    },
    knows: keyId => keyId.startsWith(prefix) && /^\d+$/.test(keyId.slice(prefix.length)),
    wrap,
    unwrap,
    close: () => agent.close()
  }
}

interface Answer {
  data?: Record<string, unknown>
  errors?: string[]
}

function parsed(text: string): Answer {
  try {
    const answer = JSON.parse(text) as Answer | null
    return answer !== null && typeof answer === 'object' ? answer : {}
  } catch {
    return {}
  }
}

const adviceFor = (status: number): string =>
  status === 403
    ? ' (the token is not valid, or its policy lacks `update` on encrypt and decrypt of this key)'
    : status === 404
      ? ' (there is no transit engine at this mount)'
      : status === 503
        ? ' (the server is sealed or starting)'
        : status === 307
          ? ' (a standby that does not forward: give the address of the active node)'
          : ''
