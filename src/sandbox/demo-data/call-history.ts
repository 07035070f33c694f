import type { Call, CallSession, Recording, ResourceUsage } from '../../../schemas/call-session.ts'
import type { Transaction } from '../../../schemas/transaction.ts'

/** The history of a demonstration account: call sessions and transactions of January 2026, always the same for the same account. */

export interface SessionRow extends CallSession {
  startDate: string
  calls: Call[]
  records: Recording[]
  otherResourceUsage: ResourceUsage[]
}

/** A transaction, with fields that calls filter by and responses do not have. */
export interface TransactionRow extends Transaction {
  performedAt: string
  /** The time by which it is accounted. */
  accountedAt: string
  userId?: number
  paymentReference?: string
  /** Whether the money is only held. */
  isUncommitted?: boolean
}

/** The applications, rules and users that take part in a history. */
export interface Fixtures {
  applications: { applicationId: number; applicationName: string; ruleNames: string[]; users: { userId: number; userName: string }[] }[]
}

export interface History {
  /** Oldest first. */
  sessions: SessionRow[]
  /** Oldest first. */
  transactions: TransactionRow[]
}

const days = 31
const sessionsPerDay = 10
const begin = Date.UTC(2026, 0, 1)
const daySeconds = 86_400
const localNumbers = ['14155550100', '14155550101', '18005550142']
const mediaServers = ['203.0.113.9', '203.0.113.10', '203.0.113.11']
const people = (count: number, prefix: string, group: string, remoteNumberType: string) =>
  Array.from({ length: count }, (_, i) => ({ remoteNumber: `${prefix}${102 + i}`, group, remoteNumberType }))
// Numbers reserved for examples and fiction.
const customers = [
  ...people(25, '14155550', 'USA', 'pstn'),
  ...people(8, '442079460', 'United Kingdom', 'pstn'),
  ...people(5, '493023125', 'Germany', 'mobile')
]
const failures = [
  { code: 486, details: 'Busy here' },
  { code: 480, details: 'Temporarily unavailable' },
  { code: 603, details: 'Decline' }
]

const instant = (seconds: number): string => new Date(begin + seconds * 1000).toISOString().replace('.000Z', 'Z')
const midnightAfter = (seconds: number): string => instant(Math.ceil((seconds + 1) / daySeconds) * daySeconds)
const money = (amount: number): number => Number(amount.toFixed(4))

/** A stream of numbers that depends on the account alone. */
function diceOf(accountId: number): (sides: number) => number {
  let n = accountId | 0
  const mix = (x: number) => Math.imul(x ^ (x >>> 16), 0x45d9f3b)
  return sides => {
    n = (n + 0x9e3779b9) | 0
    const mixed = mix(mix(n))
    return ((mixed ^ (mixed >>> 16)) >>> 0) % sides
  }
}

/** The child account that has a small share in the history of an account. */
const childOf = (accountId: number): number => accountId + 1
const childShare = 28

/** Generates the history of an account. */
export function generateHistory(accountId: number, { applications }: Fixtures): History {
  const roll = diceOf(accountId)
  const itemAt = <T>(list: readonly T[], index: number): T => {
    const item = list[index % list.length]
    if (item === undefined) throw new RangeError('an empty list')
    return item
  }
  const one = <T>(list: readonly T[]): T => itemAt(list, roll(list.length))
  const sessions: SessionRow[] = []
  // What costs money gets its transaction's id once all transactions are sorted.
  const charges: { at: number; row: Omit<TransactionRow, 'transactionId'>; thing?: { transactionId?: number } }[] = []
  const ofChild: Fixtures['applications'][number] = {
    applicationId: 90,
    applicationName: 'branch.child.n1.voximplant.com',
    ruleNames: ['incoming'],
    users: []
  }
  const ids = { call: 8001, record: 6001, resource: 5001 }

  const charge = (at: number, amount: number, row: Partial<TransactionRow>, thing?: { transactionId?: number }) =>
    charges.push({
      at,
      thing,
      row: {
        accountId: String(accountId),
        performedAt: instant(at),
        accountedAt: midnightAfter(at),
        amount: money(amount),
        currency: 'USD',
        transactionType: 'resource_charge',
        ...row
      }
    })

  for (let i = 0; applications.length > 0 && i < days * sessionsPerDay; i++) {
    // Working hours: from eight in the morning, one every 70 minutes or so.
    const at = Math.floor(i / sessionsPerDay) * daySeconds + 8 * 3600 + (i % sessionsPerDay) * 4200 + roll(3600)
    // The first application has the most to do.
    const which = Math.min(one([0, 0, 0, 1, 1, 2]), applications.length - 1)
    const byChild = i % childShare === childShare - 1
    const ownerId = byChild ? childOf(accountId) : accountId
    const { applicationId, applicationName, ruleNames, users } = byChild ? ofChild : itemAt(applications, which)
    const ruleName = ruleNames.length > 0 ? one(ruleNames) : undefined
    const incoming = ruleName === 'incoming'
    const user = users.length > 0 && roll(4) > 0 ? one(users) : undefined
    const { remoteNumber, remoteNumberType, group } = one(customers)
    const answered = roll(8) > 0
    const talk = answered ? 15 + roll(600) : 0
    const ring = 3 + roll(20)
    const localNumber = itemAt(localNumbers, which)
    const mediaServerAddress = one(mediaServers)
    const customData = roll(3) === 0 ? JSON.stringify({ order: 1 + roll(60) }) : undefined
    const spentFor = {
      accountId: String(ownerId),
      applicationId,
      applicationName: applicationName.split('.', 1)[0],
      userId: user?.userId,
      priceGroupName: group
    }
    const ended = at + ring + talk

    const call: Call = {
      callId: ids.call++,
      startTime: instant(at + 1),
      duration: talk,
      incoming,
      successful: answered,
      endReason: answered ? { code: 200, details: 'Normal call clearing' } : one(failures),
      localNumber,
      remoteNumber,
      remoteNumberType,
      direction: incoming ? `Incoming PSTN from ${group}` : group,
      customData,
      mediaServerAddress,
      cost: money(Math.ceil(talk / 60) * (incoming ? 0.005 : 0.012))
    }
    const calls = [call]
    if ((call.cost ?? 0) > 0) {
      const [resourceType, words] = incoming ? ['PSTNIN', 'Incoming call from'] : ['PSTNOUT', 'Outgoing call to']
      charge(ended, -(call.cost ?? 0), { ...spentFor, resourceType, transactionDescription: `${words} ${remoteNumber}` }, call)
    }
    // Somebody picks up: a second leg, which is free.
    if (incoming && answered && user)
      calls.push({
        callId: ids.call++,
        startTime: instant(at + ring),
        duration: talk,
        incoming: false,
        successful: true,
        endReason: { code: 200, details: 'Normal call clearing' },
        localNumber,
        remoteNumber: user.userName,
        remoteNumberType: 'user',
        mediaServerAddress,
        cost: 0
      })

    const records: Recording[] = []
    const otherResourceUsage: ResourceUsage[] = []
    const use = (resourceType: string, description: string, resourceQuantity: number, unit: string, price: number) => {
      const usage: ResourceUsage = {
        resourceUsageId: ids.resource++,
        resourceType,
        description,
        usedAt: instant(at + ring),
        resourceQuantity,
        unit,
        refCallId: call.callId,
        cost: money(resourceQuantity * price)
      }
      otherResourceUsage.push(usage)
      charge(
        ended,
        -(usage.cost ?? 0),
        { ...spentFor, priceGroupName: undefined, resourceType, transactionDescription: description },
        usage
      )
    }
    if (answered && roll(3) === 0) {
      const recordId = ids.record++
      const transcriptionStatus = one(['Not required', 'In progress', 'Complete', 'Complete'])
      const record: Recording = {
        recordId,
        recordName: `Call ${call.callId}`,
        recordUrl: `https://storage.example.com/records/${recordId}.mp3`,
        startTime: instant(at + ring),
        duration: talk,
        fileSize: talk * 4000,
        isRemoved: false,
        transcriptionStatus,
        ...(transcriptionStatus === 'Complete' ? { transcriptionUrl: `https://storage.example.com/transcriptions/${recordId}.txt` } : {}),
        cost: money(Math.ceil(talk / 60) * 0.002)
      }
      records.push(record)
      call.recordUrl = record.recordUrl
      charge(
        ended,
        -(record.cost ?? 0),
        { ...spentFor, priceGroupName: undefined, resourceType: 'AUDIORECORD', transactionDescription: 'Recording of a call' },
        record
      )
      if (transcriptionStatus === 'Complete') use('TRANSCRIPTION', 'Transcription', talk, 'second', 0.0003)
    }
    if (answered && incoming && roll(2) === 0) use('ASR', 'Speech recognition', 5 + roll(25), 'second', 0.0004)
    if (!incoming && roll(3) === 0) use('VOICEMAILDETECTION', 'Voicemail detection', 1, 'call', 0.003)

    sessions.push({
      callSessionHistoryId: 7001 + i,
      startDate: instant(at),
      active: false,
      duration: ring + talk + 2,
      finishReason: roll(40) === 0 ? 'JS session error' : 'Normal termination',
      accountId: ownerId,
      applicationId,
      applicationName,
      ruleName,
      userId: user?.userId,
      customData,
      audioQuality: one(['Standard', 'Standard', 'HD']),
      initiatorAddress: `198.51.100.${1 + roll(250)}`,
      mediaServerAddress,
      logFileUrl: `https://storage.example.com/logs/${7001 + i}`,
      calls,
      records,
      otherResourceUsage
    })
  }

  for (const { day, hour, amount, accountedOn, ...row } of ledger) {
    const accountedAt = accountedOn === undefined ? {} : { accountedAt: instant((accountedOn - 1) * daySeconds) }
    charge((day - 1) * daySeconds + hour * 3600, amount, { ...row, ...accountedAt })
  }
  charges.sort((a, b) => a.at - b.at)
  const transactions = charges.map(({ row, thing }, i) => {
    const transactionId = 9001 + i
    if (thing) thing.transactionId = transactionId
    return { transactionId, ...row }
  })
  return { sessions, transactions }
}

/** The transactions that no call causes, by the days of the month. */
const ledger: (Partial<TransactionRow> & { day: number; hour: number; amount: number; accountedOn?: number })[] = [
  { day: 1, hour: 9, amount: 10, transactionType: 'gift', transactionDescription: 'Welcome' },
  {
    day: 2,
    hour: 12,
    amount: 50,
    transactionType: 'card_payment',
    paymentReference: 'CARD-2026-0001',
    transactionDescription: 'Card payment'
  },
  ...localNumbers.map((phoneNumber, i) => ({
    day: 5,
    hour: 6,
    amount: -1.5,
    transactionType: 'phone_number_charge',
    subscriptionId: 501 + i,
    subscriptionName: `Phone number ${phoneNumber}`,
    transactionDescription: `Phone number ${phoneNumber}, one month`
  })),
  { day: 9, hour: 15, amount: -0.5, transactionType: 'sip_registration_charge', subscriptionId: 601, subscriptionName: 'SIP registration' },
  { day: 12, hour: 10, amount: 1.2, transactionType: 'refund', transactionDescription: 'Refund of a call' },
  {
    day: 16,
    hour: 12,
    amount: 50,
    transactionType: 'card_periodic_payment',
    paymentReference: 'CARD-2026-0002',
    transactionDescription: 'Card payment'
  },
  {
    day: 20,
    hour: 11,
    amount: 200,
    transactionType: 'wire_transfer',
    paymentReference: 'INV-2026-01',
    accountedOn: 22,
    transactionDescription: 'Wire transfer'
  },
  {
    day: 31,
    hour: 20,
    amount: -0.25,
    isUncommitted: true,
    resourceType: 'PSTNOUT',
    priceGroupName: 'USA',
    transactionDescription: 'Held for a running call'
  },
  {
    day: 31,
    hour: 21,
    amount: -0.4,
    isUncommitted: true,
    resourceType: 'VIDEOCALL',
    transactionDescription: 'Held for a running conference'
  },
  { day: 31, hour: 23, amount: -4.31, transactionType: 'tax_charge', transactionDescription: 'Taxes of January' }
]
