import type { Decode } from './drift.ts'
import { ExactNumber, exact } from './exact-numbers.ts'
import { fromUpstreamTime, instantOf, isDay } from './times.ts'

/**
 * Decoders of single values in responses, whatever their spelling. What cannot be read as declared is counted, under `where`, and left out; null and an
 * empty text are no value.
 */

/** A number as text, with or without a fraction and an exponent. */
const numberText = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/

export const decodeNumber =
  (isWhole: boolean, where: string): Decode =>
  (raw, drift) => {
    if (typeof raw === 'number') return exact(raw)
    if (raw === null || raw === '') return undefined
    const value = typeof raw === 'string' && numberText.test(raw) ? Number(raw) : typeof raw === 'boolean' ? Number(raw) : Number.NaN
    // Comparisons with NaN are false.
    return Math.abs(value) <= Number.MAX_SAFE_INTEGER && (!isWhole || Number.isInteger(value)) ? value : drift.unreadable(where)
  }

export const decodeText =
  (where: string): Decode =>
  (raw, drift) => {
    if (typeof raw === 'string') return raw
    if (raw === null) return undefined
    if (typeof raw === 'number') return String(exact(raw))
    if (raw instanceof ExactNumber) return raw.source
    return typeof raw === 'object' ? drift.unreadable(where) : String(raw)
  }

export const decodeBoolean =
  (where: string): Decode =>
  (raw, drift) => {
    if (typeof raw === 'boolean') return raw
    if (raw === 1 || raw === '1' || raw === 'true') return true
    if (raw === 0 || raw === '0' || raw === 'false') return false
    return raw === null || raw === '' ? undefined : drift.unreadable(where)
  }

/** The seconds since the epoch that a Date can hold. */
const isUnixTime = (seconds: number): boolean => Number.isFinite(seconds) && Math.abs(seconds) < 8.64e12

export const decodeTimestamp =
  (where: string): Decode =>
  (raw, drift) => {
    if (typeof raw === 'string') return raw === '' ? undefined : (fromUpstreamTime(raw) ?? drift.unreadable(where))
    if (typeof raw === 'number' && isUnixTime(raw)) return instantOf(raw * 1000)
    return raw === null ? undefined : drift.unreadable(where)
  }

export const decodeUnixTime =
  (where: string): Decode =>
  (raw, drift) => {
    if (raw === null || raw === '' || raw === 0) return undefined
    const seconds = Number(raw)
    if (isUnixTime(seconds)) return instantOf(seconds * 1000)
    return (typeof raw === 'string' ? fromUpstreamTime(raw) : undefined) ?? drift.unreadable(where)
  }

export const decodeDate =
  (where: string): Decode =>
  (raw, drift) => {
    if (typeof raw !== 'string') return raw === null ? undefined : drift.unreadable(where)
    const day = raw.slice(0, 10)
    return isDay(day) ? day : raw === '' ? undefined : drift.unreadable(where)
  }
