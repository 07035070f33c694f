/** RFC 3339, section 5.6: the letters `T` and `Z` in either case, an offset with a colon, no space in place of `T`. */
const form = /^(\d{4}-(\d\d)-(\d\d))[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/

const minute = 60_000

/** Days of a month (1 to 12) of a year of the proleptic Gregorian calendar. */
export const daysInMonth = (year: number, month: number): number =>
  month === 2 ? ((year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

/**
 * An RFC 3339 date-time as milliseconds since the epoch; undefined when the text is none. Fractions beyond milliseconds are cut. A leap second,
 * which is the last second of a month in UTC, counts as the first second of the next day, as in POSIX time.
 */
export function parseInstant(text: string): number | undefined {
  const match = form.exec(text)
  if (!match) return undefined
  const [, day = '', monthText, dayText, hour, minuteText, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  const [month, dayOfMonth, seconds] = [Number(monthText), Number(dayText), Number(second)]
  if (month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > daysInMonth(Number(day.slice(0, 4)), month)) return undefined
  if (Number(hour) > 23 || Number(minuteText) > 59 || seconds > 60 || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * minute * (sign === '-' ? -1 : 1)
  // Date.UTC takes a year before 100 for one of the 20th century; the text form does not.
  const start = Date.parse(`${day}T${hour}:${minuteText}:00Z`) - offset
  if (seconds === 60 && !endsMonth(start + minute)) return undefined
  // 999.9999 ms must not become the next second.
  return start + seconds * 1000 + Math.trunc(Number(`0${fraction}`) * 1000)
}

const endsMonth = (ms: number): boolean => {
  const next = new Date(ms)
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0
}

const pad = (n: number, digits: number): string => String(n).padStart(digits, '0')

/** An RFC 3339 instant of any offset -> `YYYY-MM-DD HH:mm:ss` UTC (fractions are cut), or undefined when there is no such instant. */
export function toUpstreamTime(instant: string): string | undefined {
  const ms = parseInstant(instant)
  if (ms === undefined) return undefined
  const t = new Date(ms)
  const year = t.getUTCFullYear()
  if (year < 0 || year > 9999) return undefined
  return `${pad(year, 4)}-${pad(t.getUTCMonth() + 1, 2)}-${pad(t.getUTCDate(), 2)} ${pad(t.getUTCHours(), 2)}:${pad(t.getUTCMinutes(), 2)}:${pad(t.getUTCSeconds(), 2)}`
}

const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

/** Two decimal digits of a text, or NaN. */
const two = (text: string, at: number): number => {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** Whether a text begins with a `YYYY-MM-DD` that the calendar has. By characters: every answer is full of them, and a Date costs ten times this. */
function beginsWithDay(text: string): boolean {
  if (text[4] !== '-' || text[7] !== '-') return false
  const year = two(text, 0) * 100 + two(text, 2)
  const month = two(text, 5)
  const day = two(text, 8)
  // Comparisons with NaN are false.
  return year >= 0 && month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysInMonth(year, month))
}

/** Whether a text is a `YYYY-MM-DD` that the calendar has. */
export const isDay = (text: string): boolean => text.length === 10 && beginsWithDay(text)

/** Whether a text is a `YYYY-MM-DD HH:mm:ss` that the calendar and the clock have. */
export const isUpstreamTime = (text: string): boolean =>
  text.length === 19 &&
  text[10] === ' ' &&
  text[13] === ':' &&
  text[16] === ':' &&
  two(text, 11) <= 23 &&
  two(text, 14) <= 59 &&
  two(text, 17) <= 59 &&
  beginsWithDay(text)

/** An instant as Unix seconds, or undefined when there is no such instant in the years 0000 to 9999. */
export const toUnixSeconds = (instant: string): number | undefined =>
  toUpstreamTime(instant) === undefined ? undefined : Math.floor((parseInstant(instant) ?? 0) / 1000)

/** `YYYY-MM-DD HH:mm:ss` UTC -> RFC 3339 with `Z`; takes RFC 3339 too. Undefined for anything else, such as the upstream's `0000-00-00 00:00:00`. */
export function fromUpstreamTime(text: string): string | undefined {
  if (isUpstreamTime(text)) return `${text.slice(0, 10)}T${text.slice(11)}Z`
  if (isoTime.test(text)) {
    const ms = Date.parse(text)
    return Number.isNaN(ms) ? undefined : instantOf(ms)
  }
  return undefined
}

/** Milliseconds since the epoch -> RFC 3339 with `Z`. */
export const instantOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
