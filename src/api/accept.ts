/** What a caller accepts (RFC 9110, section 12.5.1). */

/** Whether an `Accept` header takes `application/json`: the most specific range that names it decides. */
export function acceptsJson(accept: string): boolean {
  if (accept === '*/*' || accept === 'application/json') return true
  let best = { specificity: 0, quality: 0 }
  for (const item of accept.split(',')) {
    const [range = '', ...parameters] = item.split(';').map(part => part.trim().toLowerCase())
    const specificity = ['*/*', 'application/*', 'application/json'].indexOf(range) + 1
    if (specificity === 0 || specificity <= best.specificity) continue
    const quality = parameters.find(parameter => parameter.startsWith('q='))
    best = { specificity, quality: quality === undefined ? 1 : Number(quality.slice(2)) || 0 }
  }
  return best.quality > 0
}
