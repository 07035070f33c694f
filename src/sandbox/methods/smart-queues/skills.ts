import { type Params, reject } from '../../codec.ts'
import type { Methods } from '../../method.ts'
import { containing, matches, now } from '../../query.ts'
import type { AccountState } from '../../state.ts'
import { requireApplication, selectUsers } from '../../tables.ts'
import {
  agentOf,
  agents,
  applicationSkills,
  changeAgent,
  descriptionOf,
  excludedUser,
  optionOf,
  smartQueueSkills,
  userFilter,
  withoutSkills
} from './tables.ts'

// The upstream has limits, but publishes no numbers.
const maxSkills = 500
const maxSkillsPerAgent = 100

/** A parameter that is a JSON array of objects. */
export function objectsOf(params: Params, name: string): Record<string, unknown>[] | undefined {
  const value = params.json(name)
  if (value === undefined) return undefined
  return Array.isArray(value) && value.every(item => typeof item === 'object' && item !== null) ? value : reject('INVALID', name)
}

/** A skill level, 1 to 5. */
export function skillLevelOf(value: unknown, fallback?: number): number {
  const level = value ?? fallback ?? reject('REQUIRED_IS_EMPTY', 'sqSkills')
  return typeof level === 'number' && Number.isInteger(level) && level >= 1 && level <= 5 ? level : reject('INVALID_RANGE', 'sqSkills')
}

/** The ids of the skills, within the call's application, that an entry of `sq_skills` names by id or name. */
export function skillIdsOf(account: AccountState, params: Params, { sqSkillId, sqSkillName }: Record<string, unknown>): number[] {
  const { applicationId } = requireApplication(account, params)
  return smartQueueSkills
    .where(account, { applicationId })
    .filter(row => (sqSkillId === undefined ? row.sqSkillName === sqSkillName : row.sqSkillId === sqSkillId))
    .map(row => row.sqSkillId)
}

export const methods: Methods = {
  SQ_AddSkill(params, account) {
    const { applicationId } = requireApplication(account, params)
    const sqSkillName = applicationSkills.requiredName(account, params, 'sqSkillName')
    if (smartQueueSkills.where(account, { applicationId }).length >= maxSkills) reject('SC_SKILL_COUNT_LIMIT')
    const time = now()
    const description = descriptionOf(params)
    const { sqSkillId } = smartQueueSkills.add(account, { applicationId, sqSkillName, description, created: time, modified: time })
    return { result: { sqSkillId } }
  },

  SQ_GetSkills(params, account) {
    requireApplication(account, params)
    const names = params.texts('sqSkillName')
    const hasPart = containing(params.text('sqSkillNameTemplate'))
    const hasSkill = (userId: number, id: number) => agentOf(account, userId).skills.some(skill => skill.sqSkillId === id)
    const userIds = userFilter(account, params)
    const excluded = excludedUser(account, params)
    const ids = params.ids('sqSkillId')
    return applicationSkills.page(account, params, {
      sqSkillId: id =>
        matches(ids, id) &&
        (userIds === undefined || userIds.some(userId => hasSkill(userId, id))) &&
        (excluded === undefined || !hasSkill(excluded, id)),
      sqSkillName: name => matches(names, name) && matches(hasPart, name)
    })
  },

  SQ_SetSkillInfo(params, account) {
    const row = applicationSkills.one(account, params)
    const sqSkillName = applicationSkills.newName(account, params, 'newSqSkillName', row)
    return applicationSkills.update(row, { sqSkillName, description: descriptionOf(params), modified: now() })
  },

  SQ_DelSkill: applicationSkills.remove,

  SQ_BindSkill(params, account) {
    requireApplication(account, params)
    const mode = optionOf(params, 'bindMode', ['add', 'replace_skills', 'replace_agents']) ?? 'add'
    const skills = (objectsOf(params, 'sqSkills') ?? reject('REQUIRED_IS_EMPTY', 'sqSkills')).map(entry => ({
      sqSkillId: skillIdsOf(account, params, entry)[0] ?? reject('INVALID_SKILL_ID', 'sqSkills'),
      sqSkillLevel: skillLevelOf(entry.sqSkillLevel)
    }))
    const ids = skills.map(skill => skill.sqSkillId)
    if (new Set(ids).size < ids.length) reject('VALUE_NOT_UNIQUE', 'sqSkills')
    const changes = selectUsers(account, params).map(({ userId }) => ({
      userId,
      skills: [...(mode === 'replace_skills' ? [] : withoutSkills(agentOf(account, userId).skills, ids)), ...skills]
    }))
    if (changes.some(change => change.skills.length > maxSkillsPerAgent)) reject('MAX_AGENT_SKILLS_EXCEEDED')
    if (mode === 'replace_agents') for (const row of agents.rows(account)) row.skills = withoutSkills(row.skills, ids)
    for (const change of changes) changeAgent(account, change.userId, { skills: change.skills })
  },

  SQ_UnbindSkill(params, account) {
    const ids = applicationSkills.select(account, params).map(row => row.sqSkillId)
    for (const { userId } of selectUsers(account, params))
      changeAgent(account, userId, { skills: withoutSkills(agentOf(account, userId).skills, ids) })
  }
}
