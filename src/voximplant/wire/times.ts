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
