import { seeded } from '../../../schemas/seeded.ts'
import type { Skill } from '../../../schemas/skill.ts'
import { type Params, refuse } from '../codec.ts'
import { choose, chooseOne, holdsPart, pageOf } from '../query.ts'
import type { AccountState } from '../state.ts'
import { bindIds, chosenQueues, chosenUsers, queues, skills, users } from '../tables.ts'
import type { Method } from './index.ts'

const selector = { id: 'skillId', name: 'skillName', unknownId: 'INVALID_SKILL_ID' } as const

function checkName(account: AccountState, name: string, field: string, self?: Skill): string {
  if (name.length >= 512) refuse('SKILL_NAME_TOO_LONG', field)
  if (skills.rows(account).some(row => row !== self && row.skillName === name)) refuse('DUPLICATE_SKILL_NAME', field)
  return name
}

const given = (params: Params, ...names: string[]): boolean => names.some(name => params.has(name))

export const methods: Record<string, Method> = {
  AddSkill(params, account) {
    const { skillId } = skills.add(account, {
      skillName: checkName(account, params.need('skillName', params.text('skillName')), 'skillName')
    })
    return { result: 1, skillId }
  },

  GetSkills(params, account) {
    const id = params.ids('skillId')?.[0]
    return pageOf(
      skills
        .rows(account)
        .filter(row => (id === undefined || row.skillId === id) && holdsPart(row.skillName, params.texts('skillName')?.[0])),
      params
    )
  },

  SetSkillInfo(params, account) {
    const row = chooseOne(skills.rows(account), params, selector)
    row.skillName = checkName(account, params.need('newSkillName', params.text('newSkillName')), 'newSkillName', row)
    return { result: 1 }
  },

  DelSkill(params, account) {
    const { skillId } = chooseOne(skills.rows(account), params, selector)
    skills.remove(account, row => row.skillId === skillId)
    for (const row of [...users.rows(account), ...queues.rows(account)]) row.skillIds = bindIds(row.skillIds, [skillId], false)
    return { result: 1 }
  },

  BindSkill(params, account) {
    const ids = choose(skills.rows(account), params, selector).map(row => row.skillId)
    const toUsers = given(params, 'userId', 'userName')
    const toQueues = given(params, 'acdQueueId', 'acdQueueName')
    if (!toUsers && !toQueues) refuse('REQUIRED_IS_EMPTY', 'userId')
    const bind = params.flag('bind') ?? true
    const bound = [...(toUsers ? chosenUsers(account, params) : []), ...(toQueues ? chosenQueues(account, params) : [])]
    for (const row of bound) row.skillIds = bindIds(row.skillIds, ids, bind)
    return { result: 1 }
  }
}

export function seed(account: AccountState): void {
  for (const skillName of [seeded.skill.name, 'english']) skills.add(account, { skillName })
}
