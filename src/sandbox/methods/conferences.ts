import { isIP } from 'node:net'
import { refuse } from '../codec.ts'
import { now } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenRules, chosenUsers, whenDeleted } from '../tables.ts'
import { addSession } from './history.ts'
import type { Method } from './index.ts'

interface ConferenceRow {
  conferenceId: number
  conferenceName: string
  applicationId: number
  callSessionHistoryId: number
  began: string
}

const conferences = table<ConferenceRow>('conferences', 'conferenceId')
whenDeleted('applications', (account, ids) => conferences.remove(account, row => ids.includes(row.applicationId)))

const maxName = 49
/** Nobody comes to a conference of the sandbox: each ends by itself, after an hour. In milliseconds. */
const lifetime = 3_600_000
const mediaServerAddress = '203.0.113.9'

const running = (account: AccountState): ConferenceRow[] =>
  conferences.rows(account).filter(row => Date.parse(row.began) + lifetime > Date.now())

export const methods: Record<string, Method> = {
  StartConference(params, account) {
    const conferenceName = params.need('conferenceName', params.text('conferenceName'))
    if (conferenceName.length > maxName) refuse('CONFERENCE_NAME_TOO_LONG', 'conferenceName')
    params.need('ruleId', params.number('ruleId'))
    const rule = chosenRules(account, params)![0]!
    const asUser = params.has('userId') || params.has('userName')
    const user = asUser ? chosenUsers(account, params)[0] : undefined
    if (user && user.applicationId !== rule.applicationId) refuse('USER_NOT_BOUND_TO_THE_APPLICATION', 'userId')
    const referenceIp = params.text('referenceIp')
    if (referenceIp !== undefined && isIP(referenceIp) === 0) refuse('INVALID_REFERENCE_IP', 'referenceIp')

    const { applicationId, ruleName } = rule
    let conference = running(account).find(row => row.conferenceName === conferenceName && row.applicationId === applicationId)
    if (!conference) {
      const { callSessionHistoryId } = addSession(account, {
        applicationId,
        applicationName: applications.find(account, applicationId)?.applicationName,
        ruleName,
        userId: user?.userId,
        customData: params.text('scriptCustomData'),
        audioQuality: 'Standard',
        initiatorAddress: referenceIp,
        mediaServerAddress
      })
      conference = conferences.add(account, { conferenceName, applicationId, callSessionHistoryId, began: now() })
    }
    const { callSessionHistoryId } = conference
    const access = `request?session_id=${callSessionHistoryId}`
    return {
      result: 1,
      callSessionHistoryId,
      mediaSessionAccessUrl: `http://${mediaServerAddress}:12092/${access}`,
      mediaSessionAccessSecureUrl: `https://${mediaServerAddress.replaceAll('.', '-')}.example.com:12093/${access}`
    }
  }
}
