import type { Operation } from '../endpoint.ts'
import type { Credential } from './client.ts'

/** The upstream's own words are passed on to callers; more of them than this is no message. */
const longest = 1_000

const token = /\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g

/**
 * A message of the upstream without what may have got into it and must not be passed on: the tenant's token and API key, and those fields of
 * the call itself that are only ever written (`writeOnly`).
 * @param form what was sent, `application/x-www-form-urlencoded`
 */
export function redact(
  message: string,
  { endpoint, form: { fields } }: Operation,
  credential: Credential,
  form: string | URLSearchParams
): string {
  const sent = new URLSearchParams(form)
  const secrets = fields
    .filter(({ name }) => endpoint.input.properties[name]?.writeOnly)
    .flatMap(({ params }) => params.flatMap(({ wire }) => sent.getAll(wire)))
  if (credential.kind === 'api-key') secrets.push(credential.apiKey)
  let text = message.replace(token, '***')
  for (const secret of secrets) {
    if (secret === '') continue
    const inForm = new URLSearchParams([['', secret]]).toString().slice(1)
    for (const spelling of [secret, encodeURIComponent(secret), inForm, JSON.stringify(secret).slice(1, -1)])
      text = text.replaceAll(spelling, '***')
  }
  return text.length > longest ? `${text.slice(0, longest)} ...` : text
}
