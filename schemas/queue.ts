import { type Static, Type } from '@sinclair/typebox'
import { decimal, flag, id, integer, maybe, name, ref, text, timestamp } from './common.ts'
import { Skill } from './skill.ts'

export const QueueName = name('The name of the queue; unique in the account.', { maxLength: 99, examples: ['support'] })
export const QueuePriority = integer('The priority: 0 is the highest.', { minimum: 0, examples: [1] })
export const AutoBinding = flag('Whether operators are bound to the queue by comparing skills.')
export const ServiceProbability = decimal('The chance of being served before a queue of lower priority: 0.5 to 1.', {
  minimum: 0.5,
  maximum: 1,
  examples: [1]
})
export const MaxQueueSize = integer('How many calls may wait.', { minimum: 0, examples: [50] })
export const MaxWaitingTime = integer('The longest predicted wait, in minutes; a call with a longer one is rejected.', {
  minimum: 0,
  examples: [10]
})
export const AverageServiceTime = integer('The average service time in seconds, from which the wait is predicted.', {
  minimum: 0,
  examples: [120]
})

export const Queue = Type.Object(
  {
    acdQueueId: id('The id of the queue.'),
    acdQueueName: maybe(text('The name of the queue.', { examples: ['support'] })),
    applicationId: maybe(id('The application the queue belongs to.')),
    acdQueuePriority: maybe(integer('The priority: 0 is the highest.', { examples: [1] })),
    autoBinding: maybe(AutoBinding),
    serviceProbability: maybe(decimal('The chance of being served before a queue of lower priority.', { examples: [1] })),
    maxQueueSize: maybe(integer('How many calls may wait.', { examples: [50] })),
    maxWaitingTime: maybe(integer('The longest predicted wait, in minutes.', { examples: [10] })),
    averageServiceTime: maybe(integer('The average service time in seconds.', { examples: [120] })),
    operatorcount: maybe(integer('How many operators are bound; with `withOperatorcount`.', { examples: [3] })),
    slThresholds: maybe(
      Type.Array(Type.Number(), {
        description: 'The waiting times, in seconds, by which the service level is measured.',
        examples: [[5, 10, 20]]
      })
    ),
    skills: maybe(Type.Array(ref(Skill), { description: 'The skills the queue asks for; with `withSkills`.' })),
    users: maybe(Type.Array(Type.Object({ userId: id('The id of the user.') }), { description: 'The users bound to the queue.' })),
    created: maybe(timestamp('When the queue was made.')),
    modified: maybe(timestamp('When the queue was last changed.')),
    deleted: maybe(timestamp('When the queue was deleted.'))
  },
  { $id: 'Queue', description: 'A queue of incoming calls, served by operators (ACD version 1).' }
)
export type Queue = Static<typeof Queue>

const operator = {
  userId: maybe(id('The id of the user.')),
  userName: maybe(text('The login of the user.', { examples: ['ada'] })),
  userDisplayName: maybe(text('The name that others see.', { examples: ['Ada Lovelace'] }))
}
const call = {
  acdSessionHistoryId: maybe(id('The id of the ACD session.', 7001)),
  beginTime: maybe(timestamp('When the call came in.')),
  callerid: maybe(text("The caller's number.", { examples: ['14155550100'] })),
  priority: maybe(integer('The priority of the call.', { examples: [0] })),
  waitingTime: maybe(integer('How long the call has waited, in seconds.', { examples: [12] }))
}

export const QueueState = Type.Object(
  {
    acdQueueId: id('The id of the queue.'),
    readyOperatorsCount: maybe(integer('How many operators are ready.', { examples: [2] })),
    readyOperators: maybe(
      Type.Array(
        Type.Object({
          ...operator,
          idleDuration: maybe(integer('For how long the operator has been idle, in seconds.', { examples: [30] }))
        }),
        { description: 'The operators that can take a call.' }
      )
    ),
    lockedOperatorsCount: maybe(integer('How many operators are locked.', { examples: [0] })),
    lockedOperators: maybe(
      Type.Array(
        Type.Object({
          ...operator,
          status: maybe(text('The operator status: READY, or BANNED for a temporarily banned operator.', { examples: ['READY'] })),
          unreached: maybe(timestamp('When the operator could not be reached.')),
          locks: maybe(
            Type.Array(
              Type.Object({
                id: maybe(text('The id of the lock.', { examples: ['b6c1'] })),
                created: maybe(timestamp('When the lock was set.'))
              }),
              { description: 'What holds the operator.' }
            )
          ),
          acdCalls: maybe(
            Type.Array(
              Type.Object({
                acdSessionHistoryId: maybe(id('The id of the ACD session.', 7001)),
                acdRequestId: maybe(text('The id of the ACD request.', { examples: ['c0ffee'] })),
                acdQueueId: maybe(id('The id of the queue.')),
                acdQueueName: maybe(text('The name of the queue.', { examples: ['support'] })),
                callerid: maybe(text("The caller's number.", { examples: ['14155550100'] })),
                beginTime: maybe(timestamp('When the call came in.')),
                submitted: maybe(timestamp('When the call was given to the operator.'))
              }),
              { description: "The operator's calls." }
            )
          )
        }),
        { description: 'The operators that are taken.' }
      )
    ),
    afterServiceOperatorCount: maybe(integer('How many operators are in after-call work.', { examples: [0] })),
    afterServiceOperators: maybe(
      Type.Array(Type.Object({ ...operator, status: maybe(text('The operator status.', { examples: ['AFTER_SERVICE'] })) }), {
        description: 'The operators in after-call work.'
      })
    ),
    servicingCalls: maybe(Type.Array(Type.Object({ ...operator, ...call }), { description: 'The calls that are being served.' })),
    waitingCalls: maybe(
      Type.Array(
        Type.Object({ ...operator, ...call, minutesToSubmit: maybe(decimal('The predicted wait, in minutes.', { examples: [1] })) }),
        { description: 'The calls that wait.' }
      )
    )
  },
  { $id: 'QueueState', description: 'What goes on in a queue now.' }
)
export type QueueState = Static<typeof QueueState>

export const QueueStates = Type.Object(
  { acdQueues: Type.Array(ref(QueueState), { description: 'The queues asked for.' }) },
  { $id: 'QueueStates', description: 'The state of several queues.' }
)
