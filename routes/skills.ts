import { id, idOrName, idsOrNames, maybe, name, paging, ref, strict } from '../schemas/common.ts'
import { seeded } from '../schemas/seeded.ts'
import { Skill, SkillName } from '../schemas/skill.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'
import queues from './queues.ts'
import users from './users.ts'

const tag = 'Skills'
const skillId = idOrName('The skill', seeded.skill.name, seeded.skill.id)
const inApplication = maybe(idOrName("The users' application; needed where users are given by name", 'support'))
const ofUser = { skillId, userId: idOrName('The user', seeded.user.name, seeded.user.id), applicationId: inApplication }
const ofQueue = { skillId, acdQueueId: idOrName('The queue', seeded.queue.name, seeded.queue.id) }
const bindings = {
  skillId: idsOrNames('The skills', seeded.skill.name, { example: seeded.skill.id }),
  userId: maybe(idsOrNames('The users', seeded.user.name, { example: seeded.user.id })),
  acdQueueId: maybe(idsOrNames('The queues', seeded.queue.name, { example: seeded.queue.id })),
  applicationId: inApplication
}

/** Users are found by name within an application. */
const byUserName = { '~userId': 'applicationId' } as const

const listSkills = endpoint({
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
})

const everything = { skillId: listSkills, userId: users.listUsers, acdQueueId: queues.listQueues }

export default {
  createSkill: endpoint({
    http: 'POST /skills',
    rpc: 'AddSkill',
    summary: 'Create a skill',
    tag,
    input: strict({ skillName: SkillName }),
    example: { skillName: 'refunds' },
    reply: created({ skillId: id('The id of the new skill.') }, '/skills/:skillId')
  }),
  listSkills,
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
    example: { skillName: 'invoices' },
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
    summary: 'Bind several skills',
    description: 'Every named skill is bound to every named user and queue.',
    tag,
    input: strict(bindings),
    requires: byUserName,
    fixed: { bind: true },
    all: everything,
    example: { skillId: [302], userId: [1004] },
    reply: done
  }),
  unbindSkills: endpoint({
    http: 'DELETE /skill-bindings',
    rpc: 'BindSkill',
    summary: 'Unbind several skills',
    description: 'Every named skill is unbound from every named user and queue.',
    tag,
    input: strict(bindings),
    requires: byUserName,
    fixed: { bind: false },
    all: everything,
    example: { skillId: [302], userId: [1004] },
    reply: done
  })
}
