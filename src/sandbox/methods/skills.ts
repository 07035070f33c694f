import { seeded } from '../../../schemas/seeded.ts'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { containing } from '../query.ts'
import { resource } from '../resource.ts'
import type { AccountState } from '../state.ts'
import { bindIds, queues, selectQueues, selectUsers, skills, users } from '../tables.ts'

const accountSkills = resource({
  table: skills,
  id: 'skillId',
  name: 'skillName',
  notFound: 'INVALID_SKILL_ID',
  unique: 'DUPLICATE_SKILL_NAME',
  checkName: (name, param) => name.length >= 512 && reject('SKILL_NAME_TOO_LONG', param),
  onRemove(account, ids) {
    for (const row of [...users.rows(account), ...queues.rows(account)]) row.skillIds = bindIds(row.skillIds, ids, false)
  }
})

export const methods: Methods = {
  AddSkill: (params, account) => accountSkills.add(account, { skillName: accountSkills.requiredName(account, params, 'skillName') }),

  GetSkills: (params, account) =>
    accountSkills.page(account, params, { skillId: params.id('skillId'), skillName: containing(params.texts('skillName')?.[0]) }),

  SetSkillInfo(params, account) {
    const row = accountSkills.one(account, params)
    row.skillName = accountSkills.requiredName(account, params, 'newSkillName', row)
  },

  DelSkill: accountSkills.remove,

  BindSkill(params, account) {
    const ids = accountSkills.select(account, params).map(row => row.skillId)
    const toUsers = params.has('userId', 'userName')
    const toQueues = params.has('acdQueueId', 'acdQueueName')
    if (!toUsers && !toQueues) reject('REQUIRED_IS_EMPTY', 'userId')
    const bind = params.flag('bind') ?? true
    const rows = [...(toUsers ? selectUsers(account, params) : []), ...(toQueues ? selectQueues(account, params) : [])]
    for (const row of rows) row.skillIds = bindIds(row.skillIds, ids, bind)
  }
}

export function seed(account: AccountState): void {
  for (const skillName of [seeded.skill.name, 'english']) skills.add(account, { skillName })
}
