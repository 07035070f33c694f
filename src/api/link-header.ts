/** A page of a list, as its links see it. */
export interface PagePosition {
  /** The request's URL, path and query. */
  url: string
  offset: number
  /** The rows that a page has at most, as far as it is known. */
  limit: number
  /** The rows that this page has. */
  rows: number
  /** The rows of all pages, where the upstream counts them. */
  total: number | undefined
  /** Whether there is a next page, where the upstream does not count. */
  hasNext: boolean
}

/** RFC 8288 links to the pages around this one, or undefined when it is the only page. */
export function linkHeader({ url, offset, limit, rows, total, hasNext }: PagePosition): string | undefined {
  const follows = total === undefined ? hasNext : offset + rows < total && rows > 0
  if (offset === 0 && !follows) return undefined
  // The URL is the caller's: what could end the bracket of a link is encoded.
  const [path = '', ...rest] = url.replace(/[<>"]/g, encodeURIComponent).split('?')
  const query = rest.join('?')
  const kept = query.split('&').filter(pair => pair !== '' && !/^(limit|offset)=/.test(pair))
  const to = (start: number) => `<${path}?${[...kept, `limit=${limit || 1}`, `offset=${start}`].join('&')}>`
  const links = []
  if (follows) links.push(`${to(offset + rows)}; rel="next"`)
  if (offset > 0) links.push(`${to(Math.max(0, offset - (limit || 1)))}; rel="prev"`, `${to(0)}; rel="first"`)
  return links.join(', ')
}
