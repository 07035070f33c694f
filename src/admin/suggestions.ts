/** Where the admin API is, below the path that the service is mounted under. */
export const adminPath = '/admin'

/**
 * Whether a request's URL spells the way to the admin API out. The router decodes `/%61dmin` and takes the absolute form, and a proxy that
 * closes `/admin` to callers knows neither; nothing in these paths needs a percent-encoding.
 * @param url as it came, with its query @param base the path the service is mounted under
 */
export function isSpelledOut(url: string, base: string): boolean {
  const end = url.search(/[?#]/)
  return url.startsWith(`${base}${adminPath}/`) && !(end < 0 ? url : url.slice(0, end)).includes('%')
}
