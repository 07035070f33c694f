import { maxViolations, Problem, type Violation } from './problem.ts'

/** The problem for violations found before the upstream was called. Of more than `maxViolations`, the first are shown. */
export function invalid(errors: Violation[]): Problem {
  const named = errors.slice(0, 3).map(error => `${error.in} ${error.pointer || '/'} ${error.detail}`)
  const others = errors.length - named.length
  // A search for violations ends soon after as many as are shown.
  const more = others > 0 ? `; and ${errors.length > maxViolations ? 'at least ' : ''}${others} more` : ''
  return new Problem('invalid-request', `${named.join('; ')}${more}.`, { errors })
}
