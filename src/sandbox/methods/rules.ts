import type { Methods } from '../method.ts'
import type { AccountState } from '../state.ts'
import { demoApplicationId, rules } from '../tables.ts'

/** Rules exist to be referred to: no endpoint calls the methods that change them. */
export const methods: Methods = {}

export function seed(account: AccountState): void {
  for (const [application, ruleName] of [
    ['support', 'incoming'],
    ['support', 'outgoing'],
    ['sales', 'incoming'],
    ['sales', 'outgoing'],
    ['notifications', 'outgoing']
  ] as const)
    rules.add(account, {
      ruleName,
      applicationId: demoApplicationId(account, application),
      rulePattern: '.*',
      videoConference: false,
      scenarios: [{ scenarioId: ruleName === 'incoming' ? 2001 : 2002, scenarioName: ruleName, modified: '2026-01-15T09:30:00Z' }],
      modified: '2026-01-15T09:30:00Z'
    })
}
