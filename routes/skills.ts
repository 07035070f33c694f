import { id, idOrName, idsOrNames, maybe, name, paging, ref, strict } from '../schemas/common.ts'
import { Skill, SkillName } from '../schemas/skill.ts'
import { endpoint } from '../src/endpoint.ts'
import { created, done, first, page } from '../src/reply.ts'

const tag = 'Skills'
const skillId = idOrName('The skill', 'billing')
const inApplication = maybe(idOrName("The users' application; needed where users are given by name", 'support'))
const ofUser = { skillId, userId: idOrName('The user', 'ada'), applicationId: inApplication }
const ofQueue = { skillId, acdQueueId: idOrName('The queue', 'support') }
const bindings = {
  skillId: idsOrNames('The skills', 'billing'),
  userId: maybe(idsOrNames('The users', 'ada')),
  acdQueueId: maybe(idsOrNames('The queues', 'support')),
  applicationId: inApplication
}
const everything = { skillId: 'listSkills', userId: 'listUsers', acdQueueId: 'listQueues' }

/** Users are found by name within an application. */
const byUserName = { '~userId': 'applicationId' } as const

export default {
  createSkill: endpoint({
    http: 'POST /skills',
    rpc: 'AddSkill',
    summary: 'Create a skill',
    tag,
    input: strict({ skillName: SkillName }),
    reply: created({ skillId: id('The id of the new skill.') }, '/skills/:skillId')
  }),
  listSkills: endpoint({
    http: 'GET /skills',
    rpc: 'GetSkills',
    summary: 'List skills',
    tag,
    input: strict({
      skillId: maybe(id('Only the skill with this id.')),
      skillName: maybe(name('Only skills whose name holds this text.', { maxLength: 511, examples: ['bill'] })),
      ...paging
    }),
    reply: page(ref(Skill))
  }),
  getSkill: endpoint({
    http: 'GET /skills/:skillId',
    rpc: 'GetSkills',
    summary: 'Get a skill',
    tag,
    input: strict({ skillId }),
    reply: first(ref(Skill), 'skillId')
  }),
  updateSkill: endpoint({
    http: 'PATCH /skills/:skillId',
    rpc: 'SetSkillInfo',
    summary: 'Rename a skill',
    tag,
    input: strict({ skillId, skillName: SkillName }),
    rename: { skillName: 'newSkillName' },
    reply: done
  }),
  deleteSkill: endpoint({
    http: 'DELETE /skills/:skillId',
    rpc: 'DelSkill',
    summary: 'Delete a skill',
    tag,
    input: strict({ skillId }),
    reply: done
  }),
  bindSkillUser: endpoint({
    http: 'PUT /skills/:skillId/users/:userId',
    rpc: 'BindSkill',
    summary: 'Give a skill to a user',
    tag,
    input: strict(ofUser),
    requires: byUserName,
    fixed: { bind: true },
    reply: done
  }),
  unbindSkillUser: endpoint({
    http: 'DELETE /skills/:skillId/users/:userId',
    rpc: 'BindSkill',
    summary: 'Take a skill from a user',
    tag,
    input: strict(ofUser),
    requires: byUserName,
    fixed: { bind: false },
    reply: done
  }),
  bindSkillQueue: endpoint({
    http: 'PUT /skills/:skillId/queues/:acdQueueId',
    rpc: 'BindSkill',
    summary: 'Make a queue ask for a skill',
    tag,
    input: strict(ofQueue),
    fixed: { bind: true },
    reply: done
  }),
  unbindSkillQueue: endpoint({
    http: 'DELETE /skills/:skillId/queues/:acdQueueId',
    rpc: 'BindSkill',
    summary: 'Make a queue no longer ask for a skill',
    tag,
    input: strict(ofQueue),
    fixed: { bind: false },
    reply: done
  }),
  bindSkills: endpoint({
    http: 'PUT /skill-bindings',
    rpc: 'BindSkill',
    summary: 'Bind several skills at once',
    description: 'Every named skill is bound to every named user and queue.',
    tag,
    input: strict(bindings),
    requires: byUserName,
    fixed: { bind: true },
    all: everything,
    reply: done
  }),
  unbindSkills: endpoint({
    http: 'DELETE /skill-bindings',
    rpc: 'BindSkill',
    summary: 'Unbind several skills at once',
    description: 'Every named skill is unbound from every named user and queue.',
    tag,
    input: strict(bindings),
    requires: byUserName,
    fixed: { bind: false },
    all: everything,
    reply: done
  })
}
