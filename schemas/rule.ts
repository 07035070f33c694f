import { type Static, Type } from '@sinclair/typebox'
import { flag, id, maybe, ref, text, timestamp } from './common.ts'

export const Scenario = Type.Object(
  {
    scenarioId: id('The id of the scenario.', 2001),
    scenarioName: maybe(text('The name of the scenario.', { examples: ['greeting'] })),
    modified: maybe(timestamp('When the scenario was last changed.'))
  },
  { $id: 'Scenario', description: 'A script that runs while a call session lasts.' }
)
export type Scenario = Static<typeof Scenario>

export const Rule = Type.Object(
  {
    ruleId: id('The id of the rule.'),
    ruleName: maybe(text('The name of the rule.', { examples: ['incoming'] })),
    applicationId: maybe(id('The application the rule belongs to.')),
    rulePattern: maybe(text('The regular expression that the called number or user has to match.', { examples: ['.*'] })),
    videoConference: maybe(flag('Whether sessions of the rule are video conferences.', { examples: [false] })),
    scenarios: maybe(Type.Array(ref(Scenario), { description: 'The scenarios that the rule runs, in their order; with `withScenarios`.' })),
    modified: maybe(timestamp('When the rule was last changed.'))
  },
  { $id: 'Rule', description: 'A rule of an application: which scenarios run for which calls.' }
)
export type Rule = Static<typeof Rule>
