import { type Static, Type } from '@sinclair/typebox'
import { id, maybe, name, text } from './common.ts'

export const SkillName = name('The name of the skill; unique in the account.', { maxLength: 511, examples: ['billing'] })

export const Skill = Type.Object(
  {
    skillId: id('The id of the skill.'),
    skillName: maybe(text('The name of the skill.', { examples: ['billing'] }))
  },
  { $id: 'Skill', description: 'A skill that operators have and queues ask for (ACD version 1).' }
)
export type Skill = Static<typeof Skill>
