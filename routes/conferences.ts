import { id, idOrName, maybe, name, strict, text } from '../schemas/common.ts'
import { seeded } from '../schemas/seeded.ts'
import { endpoint } from '../src/api/endpoint.ts'
import { created } from '../src/api/replies.ts'

const tag = 'Conferences'

export default {
  startConference: endpoint({
    http: 'POST /conferences',
    rpc: 'StartConference',
    summary: 'Start or join a video conference',
    description:
      'Runs the scenarios of a rule on a server made for video conferences. While a conference of that name runs, the call joins it and starts nothing.',
    tag,
    input: strict({
      conferenceName: name('The name of the conference; up to 49 characters.', { maxLength: 49, examples: ['weekly'] }),
      ruleId: id('The rule whose scenarios are run.'),
      applicationId: maybe(idOrName('The application', 'support')),
      userId: maybe(idOrName('The user in whose name the scenarios run', seeded.user.name, seeded.user.id)),
      scriptCustomData: maybe(text('Text for the scenarios, which read it with `VoxEngine.customData()`.', { examples: ['{"room":7}'] })),
      referenceIp: maybe(
        text('An IP address near the people expected: the closest server is chosen by it.', { minLength: 1, examples: ['203.0.113.7'] })
      ),
      serverLocation: maybe(
        text('Where the server shall stand, as a location code of the upstream. Counts for more than `referenceIp`.', {
          minLength: 1,
          examples: ['us-east']
        })
      )
    }),
    reply: created(
      {
        callSessionHistoryId: maybe(id('The id of the session, by which call sessions can be listed.', 7001)),
        mediaSessionAccessUrl: maybe(
          text('The address of HTTP requests to the running scenarios. Anybody who knows it can control the session.', {
            examples: ['http://203.0.113.9:12092/request?id=b6c1']
          })
        ),
        mediaSessionAccessSecureUrl: maybe(
          text('The address of HTTPS requests to the running scenarios. Anybody who knows it can control the session.', {
            examples: ['https://203-0-113-9.example.com:12093/request?id=b6c1']
          })
        )
      },
      '/call-sessions?callSessionHistoryId=:callSessionHistoryId'
    )
  })
}
