import { flag, id, idList, idOrName, idsOrNames, maybe, name, paging, ref, strict } from '../schemas/common.ts'
import {
  AutoBinding,
  AverageServiceTime,
  MaxQueueSize,
  MaxWaitingTime,
  Queue,
  QueueName,
  QueuePriority,
  QueueStates,
  ServiceProbability
} from '../schemas/queue.ts'
import { seeded } from '../schemas/seeded.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page, value } from '../src/api/replies.ts'
import users from './users.ts'

const tag = 'Queues'
const applicationId = idOrName('The application', 'support')
const acdQueueId = idOrName('The queue', seeded.queue.name, seeded.queue.id)
const userId = idOrName('The user', seeded.user.name, seeded.user.id)
const settings = {
  acdQueuePriority: maybe(QueuePriority),
  autoBinding: maybe(AutoBinding),
  serviceProbability: maybe(ServiceProbability),
  maxQueueSize: maybe(MaxQueueSize),
  maxWaitingTime: maybe(MaxWaitingTime),
  averageServiceTime: maybe(AverageServiceTime)
}
const shown = {
  withSkills: maybe(flag("Whether the queues' skills are answered.")),
  withOperatorcount: maybe(flag('Whether the number of bound operators is answered.')),
  showingSkillId: maybe(id('Answer only this skill in `skills`.'))
}
const members = {
  applicationId,
  acdQueueId: idsOrNames('The queues', seeded.queue.name, { example: seeded.queue.id }),
  userId: idsOrNames('The users', seeded.user.name, { example: seeded.user.id })
}
const listQueues = endpoint({
  http: 'GET /queues',
  rpc: 'GetQueues',
  summary: 'List queues',
  tag,
  input: strict({
    applicationId: maybe(id('Only queues of this application.')),
    acdQueueId: maybe(id('Only the queue with this id.')),
    acdQueueName: maybe(name('Only queues whose name holds this text.', { maxLength: 99, examples: ['supp'] })),
    skillId: maybe(id('Only queues that ask for this skill.')),
    excludedSkillId: maybe(id('Only queues that do not ask for this skill.')),
    ...shown,
    ...paging
  }),
  reply: page(ref(Queue))
})

const everyone = { userId: users.listUsers, acdQueueId: listQueues }

export default {
  createQueue: endpoint({
    http: 'POST /applications/:applicationId/queues',
    rpc: 'AddQueue',
    summary: 'Create a queue',
    tag,
    input: strict({ applicationId, acdQueueName: QueueName, ...settings }),
    reply: created({ acdQueueId: id('The id of the new queue.') }, '/queues/:acdQueueId')
  }),
  listQueues,
  getQueue: endpoint({
    http: 'GET /queues/:acdQueueId',
    rpc: 'GetQueues',
    summary: 'Get a queue',
    tag,
    input: strict({ acdQueueId, ...shown }),
    reply: first(ref(Queue), 'acdQueueId')
  }),
  updateQueue: endpoint({
    http: 'PATCH /queues/:acdQueueId',
    rpc: 'SetQueueInfo',
    summary: 'Change a queue',
    description: 'Fields that are left out stay as they are.',
    tag,
    input: strict({
      acdQueueId,
      acdQueueName: maybe(QueueName),
      applicationId: maybe(id('The application the queue is moved to.')),
      ...settings
    }),
    rename: { acdQueueName: 'newAcdQueueName' },
    example: { maxQueueSize: 30 },
    reply: done
  }),
  deleteQueue: endpoint({
    http: 'DELETE /queues/:acdQueueId',
    rpc: 'DelQueue',
    summary: 'Delete a queue',
    tag,
    input: strict({ acdQueueId }),
    reply: done
  }),
  deleteQueues: endpoint({
    http: 'DELETE /queues',
    rpc: 'DelQueue',
    summary: 'Delete several queues',
    tag,
    input: strict({ acdQueueId: idsOrNames('The queues', seeded.queue.name, { example: seeded.queue.id }) }),
    example: { acdQueueId: [202] },
    reply: done
  }),
  bindQueueUser: endpoint({
    http: 'PUT /applications/:applicationId/queues/:acdQueueId/users/:userId',
    rpc: 'BindUserToQueue',
    summary: 'Bind a user to a queue',
    tag,
    input: strict({ applicationId, acdQueueId, userId }),
    fixed: { bind: true },
    reply: done
  }),
  unbindQueueUser: endpoint({
    http: 'DELETE /applications/:applicationId/queues/:acdQueueId/users/:userId',
    rpc: 'BindUserToQueue',
    summary: 'Unbind a user from a queue',
    tag,
    input: strict({ applicationId, acdQueueId, userId }),
    fixed: { bind: false },
    reply: done
  }),
  bindQueueUsers: endpoint({
    http: 'PUT /applications/:applicationId/queue-members',
    rpc: 'BindUserToQueue',
    summary: 'Bind several users to several queues',
    description: 'Every named user is bound to every named queue.',
    tag,
    input: strict(members),
    fixed: { bind: true },
    all: everyone,
    reply: done
  }),
  unbindQueueUsers: endpoint({
    http: 'DELETE /applications/:applicationId/queue-members',
    rpc: 'BindUserToQueue',
    summary: 'Unbind several users from several queues',
    description: 'Every named user is unbound from every named queue.',
    tag,
    input: strict(members),
    fixed: { bind: false },
    all: everyone,
    example: { userId: [1003] },
    reply: done
  }),
  getQueueStates: endpoint({
    http: 'GET /queues-state',
    rpc: 'GetACDState',
    summary: 'See what goes on in the queues',
    description: 'Operators and calls of the queues now.',
    tag,
    input: strict({ acdQueueId: maybe(idList('Only these queues; all of them without it.')) }),
    reply: value(ref(QueueStates))
  })
}
