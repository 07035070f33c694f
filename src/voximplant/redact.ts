/** How much of the upstream's own words is passed on to callers, in characters. */
const maxMessage = 1_000

/** A token, by its first two parts: bounded, so that a text full of their beginnings is not searched to its end from each. */
const token = /\beyJ[\w-]{5,2048}\.[\w-]{1,2048}(?:\.[\w-]{0,2048})?/y

type Range = readonly [start: number, end: number]

/**
 * A message of the upstream without what may have got into it and must not be passed on: tokens, and the secrets given. What is not passed on,
 * because it is too long, is not searched either.
 */
export function redact(message: string, secrets: readonly string[]): string {
  const found: Range[] = []
  const begin = message.slice(0, maxMessage + 2)
  for (let at = begin.indexOf('eyJ'); at >= 0; at = begin.indexOf('eyJ', Math.max(at + 1, token.lastIndex))) {
    token.lastIndex = at
    if (token.test(message)) found.push([at, token.lastIndex])
  }
  for (const secret of new Set(secrets.filter(secret => secret !== '').flatMap(spellingsOf))) {
    // All that begins in the part that is shown, to its end.
    const searched = message.slice(0, maxMessage - 1 + secret.length)
    for (let at = searched.indexOf(secret); at >= 0; at = searched.indexOf(secret, at + 1)) found.push([at, at + secret.length])
  }
  return shownWithout(found, message)
}

/** A secret as it may stand in a message: as it is, as in a URL, as in a form, and as in JSON. */
const spellingsOf = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  new URLSearchParams([['', secret]]).toString().slice(1),
  JSON.stringify(secret).slice(1, -1)
]

/** The beginning of a message, with `***` in the place of ranges that may overlap. */
function shownWithout(ranges: Range[], message: string): string {
  let shown = ''
  let at = 0
  for (const [start, end] of ranges.sort(([a], [b]) => a - b)) {
    if (start >= at) shown += `${message.slice(at, start)}***`
    at = Math.max(at, end)
  }
  if (at < maxMessage) shown += message.slice(at, maxMessage)
  return message.length > Math.max(at, maxMessage) ? `${shown} ...` : shown
}
