import { Application, ApplicationName, bearsApplicationName, NewApplicationName, SecureRecordStorage } from '../schemas/application.ts'
import { flag, id, idOrName, idsOrNames, maybe, name, paging, ref, strict, text } from '../schemas/common.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created, done, first, page } from '../src/api/replies.ts'

const tag = 'Applications'
const applicationId = idOrName('The application', 'support')
const shown = {
  withRules: maybe(flag('Whether the rules of each application are asked for.')),
  withScenarios: maybe(flag('Whether the rules and their scenarios are asked for.'))
}

const listApplications = endpoint({
  http: 'GET /applications',
  rpc: 'GetApplications',
  summary: 'List applications',
  tag,
  input: strict({
    applicationId: maybe(id('Only the application with this id.')),
    applicationName: maybe(name('Only applications whose name holds this text.', { examples: ['supp'] })),
    ...shown,
    ...paging
  }),
  reply: page(ref(Application))
})

export default {
  createApplication: endpoint({
    http: 'POST /applications',
    rpc: 'AddApplication',
    summary: 'Create an application',
    tag,
    input: strict({ applicationName: ApplicationName, secureRecordStorage: maybe(SecureRecordStorage) }),
    example: { applicationName: 'billing' },
    reply: created(
      {
        applicationId: id('The id of the new application.'),
        applicationName: maybe(text('The full name of the new application.', { examples: ['support.acme.n1.voximplant.com'] })),
        secureRecordStorage: maybe(SecureRecordStorage)
      },
      '/applications/:applicationId'
    )
  }),
  listApplications,
  getApplication: endpoint({
    http: 'GET /applications/:applicationId',
    rpc: 'GetApplications',
    summary: 'Get an application',
    tag,
    input: strict({ applicationId, ...shown }),
    reply: first(ref(Application), 'applicationId', bearsApplicationName)
  }),
  updateApplication: endpoint({
    http: 'PATCH /applications/:applicationId',
    rpc: 'SetApplicationInfo',
    summary: 'Change an application',
    tag,
    input: strict({ applicationId, applicationName: maybe(NewApplicationName), secureRecordStorage: maybe(SecureRecordStorage) }),
    rename: { '~applicationId': 'requiredApplicationName' },
    example: { secureRecordStorage: true },
    reply: done
  }),
  deleteApplication: endpoint({
    http: 'DELETE /applications/:applicationId',
    rpc: 'DelApplication',
    summary: 'Delete an application',
    description: 'Deletes the application with all its users and rules. This cannot be undone.',
    tag,
    input: strict({ applicationId }),
    reply: done
  }),
  deleteApplications: endpoint({
    http: 'DELETE /applications',
    rpc: 'DelApplication',
    summary: 'Delete several applications',
    description: 'Deletes the applications, with their users and rules, in one call. This cannot be undone.',
    tag,
    input: strict({ applicationId: idsOrNames('The applications', 'support') }),
    all: { applicationId: listApplications },
    example: { applicationId: [2] },
    reply: done
  })
}
