import { isIP } from 'node:net'
import { reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { now } from '../query.ts'
import { table } from '../state.ts'
import { applications, onDelete, selectRules, selectUsers } from '../tables.ts'
import { addSession } from './history.ts'

interface ConferenceRow {
  conferenceId: number
  conferenceName: string
  applicationId: number
  callSessionHistoryId: number
  began: string
}

const conferences = table<ConferenceRow, 'conferenceId'>('conferences', 'conferenceId')
onDelete('applications', (account, ids) => conferences.remove(account, conferences.where(account, { applicationId: ids })))

const maxName = 49
/** A conference of the sandbox has no participants: it ends by itself after this time. */
const lifetimeMs = 3_600_000
const mediaServerAddress = '203.0.113.9'

export const methods: Methods = {
  StartConference(params, account) {
    const conferenceName = params.required('conferenceName')
    if (conferenceName.length > maxName) reject('CONFERENCE_NAME_TOO_LONG', 'conferenceName')
    params.requiredNumber('ruleId')
    const [rule] = selectRules(account, params) ?? []
    if (!rule) return reject('INVALID_RULE_ID', 'ruleId')
    const asUser = params.has('userId', 'userName')
    const user = asUser ? selectUsers(account, params)[0] : undefined
    if (user && user.applicationId !== rule.applicationId) reject('USER_NOT_BOUND_TO_THE_APPLICATION', 'userId')
    const referenceIp = params.text('referenceIp')
    if (referenceIp !== undefined && isIP(referenceIp) === 0) reject('INVALID_REFERENCE_IP', 'referenceIp')

    const { applicationId, ruleName } = rule
    let conference = conferences
      .where(account, { conferenceName, applicationId })
      .find(row => Date.parse(row.began) + lifetimeMs > Date.now())
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
