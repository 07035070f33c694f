import leven, { closestMatch } from 'leven'
import { renamedVariables } from './settings.ts'

/** Below this length, names of other programs are too similar (HOME and HOST, for example). */
const minLength = 8
/** From this length on two typing errors are recognized, below it one. */
const minLengthForTwo = 12

/**
 * What is wrong with the names of an environment's variables: names of earlier versions, and names close to one of ours.
 * @param env variables that are set @param ours the names that are read
 */
export function misnamedVariables(env: Record<string, string | undefined>, ours: readonly string[]): string[] {
  const problems: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (!value || ours.includes(name)) continue
    const renamed = renamedVariables[name]
    if (renamed) problems.push(`${name} is now ${renamed}: rename it`)
    else if (name.length >= minLength && !isServiceAddress(name)) {
      const intended = closestMatch(name.toUpperCase(), ours)
      if (intended && leven(name.toUpperCase(), intended) <= (name.length < minLengthForTwo ? 1 : 2))
        problems.push(`${name} is not a setting; did you mean ${intended}?`)
    }
  }
  return problems
}

/** Platforms and other programs set such variables for the services that they know (`UPSTREAM_HOST`): they are nobody's typing error. */
const isServiceAddress = (name: string): boolean => /_(HOST|PORT)$/i.test(name)
