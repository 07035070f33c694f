import { flag, id, idOrName, idsOrNames, list, maybe, oneOf, paging, ref, strict, text } from '../schemas/common.ts'
import { seeded } from '../schemas/seeded.ts'
import {
  AcdStatus,
  MobilePhone,
  ParentAccounting,
  User,
  UserActive,
  UserCustomData,
  UserDisplayName,
  UserName,
  UserPassword
} from '../schemas/user.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'

const tag = 'Users'
const applicationId = idOrName('The application', 'support')
const userId = idOrName('The user', seeded.user.name, seeded.user.id)
const byPart =
  'By `~name`, the upstream looks in every application whose name holds that text; use the id where one name is part of another.'
const shown = {
  withSkills: maybe(flag("Whether the users' skills are answered.")),
  withQueues: maybe(flag("Whether the users' queues are answered.")),
  showingSkillId: maybe(id('Answer only this skill in `skills`.')),
  returnLiveBalance: maybe(flag('Whether `liveBalance` is answered.'))
}

const listUsers = endpoint({
  http: 'GET /applications/:applicationId/users',
  rpc: 'GetUsers',
  summary: 'List the users of an application',
  description: byPart,
  tag,
  input: strict({
    applicationId,
    userId: maybe(id('Only the user with this id.')),
    userName: maybe(text('Only users whose login holds this text.', { minLength: 1, maxLength: 50, examples: ['ad'] })),
    userDisplayName: maybe(text('Only users whose display name holds this text.', { minLength: 1, maxLength: 255, examples: ['Ada'] })),
    userActive: maybe(flag('Only active users, or only inactive ones.')),
    acdStatus: maybe(list(AcdStatus, 'Only users with one of these operator statuses.', { examples: [['READY', 'ONLINE']] })),
    acdQueueId: maybe(id('Only users who serve this queue.')),
    excludedAcdQueueId: maybe(id('Only users who do not serve this queue.')),
    skillId: maybe(id('Only users with this skill.')),
    excludedSkillId: maybe(id('Only users without this skill.')),
    ...shown,
    orderBy: maybe(oneOf(['user_id', 'user_name', 'user_display_name'], 'What the list is sorted by.')),
    ...paging
  }),
  reply: page(ref(User))
})

export default {
  createUser: endpoint({
    http: 'POST /applications/:applicationId/users',
    rpc: 'AddUser',
    summary: 'Create a user',
    tag,
    input: strict({
      applicationId,
      userName: UserName,
      userDisplayName: UserDisplayName,
      userPassword: UserPassword,
      userActive: maybe(UserActive),
      userCustomData: maybe(UserCustomData),
      parentAccounting: maybe(ParentAccounting),
      mobilePhone: maybe(MobilePhone)
    }),
    example: { userName: 'katherine', userDisplayName: 'Katherine Johnson' },
    reply: created({ userId: id('The id of the new user.') }, '/applications/:applicationId/users/:userId')
  }),
  listUsers,
  getUser: endpoint({
    http: 'GET /applications/:applicationId/users/:userId',
    rpc: 'GetUsers',
    summary: 'Get a user',
    description: byPart,
    tag,
    input: strict({ applicationId, userId, ...shown }),
    reply: first(ref(User), 'userId')
  }),
  updateUser: endpoint({
    http: 'PATCH /applications/:applicationId/users/:userId',
    rpc: 'SetUserInfo',
    summary: 'Change a user',
    description: 'Fields that are left out stay as they are.',
    tag,
    input: strict({
      applicationId,
      userId,
      userName: maybe(UserName),
      userDisplayName: maybe(UserDisplayName),
      userPassword: maybe(UserPassword),
      userActive: maybe(UserActive),
      userCustomData: maybe(UserCustomData),
      parentAccounting: maybe(ParentAccounting),
      mobilePhone: maybe(MobilePhone)
    }),
    rename: { userName: 'newUserName' },
    example: { userDisplayName: 'Ada King' },
    reply: done
  }),
  deleteUser: endpoint({
    http: 'DELETE /applications/:applicationId/users/:userId',
    rpc: 'DelUser',
    summary: 'Delete a user',
    tag,
    input: strict({ applicationId, userId }),
    reply: done
  }),
  deleteUsers: endpoint({
    http: 'DELETE /applications/:applicationId/users',
    rpc: 'DelUser',
    summary: 'Delete several users',
    tag,
    input: strict({ applicationId, userId: idsOrNames('The users', seeded.user.name, { example: seeded.user.id }) }),
    all: { userId: listUsers },
    example: { userId: [1002] },
    reply: done
  })
}
