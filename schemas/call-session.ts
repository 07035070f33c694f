import { type Static, Type } from '@sinclair/typebox'
import { marks } from '../src/voximplant/wire/marks.ts'
import { day, decimal, flag, id, integer, maybe, ref, secretUrl, text, timestamp } from './common.ts'

const transactionId = maybe(id('The transaction that charged it.', 9001))
const cost = maybe(decimal('What it cost, in the currency of the account.', { examples: [0.012] }))
const mediaServerAddress = maybe(text('The IP address of the media server.', { examples: ['203.0.113.9'] }))

export const Call = Type.Object(
  {
    callId: id('The id of the call.', 8001),
    startTime: maybe(timestamp('When the call began.')),
    duration: maybe(integer('How long it lasted, in seconds.', { examples: [29] })),
    incoming: maybe(flag('Whether the call came in; false for one that went out.')),
    successful: maybe(flag('Whether the call was answered.')),
    endReason: maybe(
      Type.Object(
        {
          code: maybe(integer('The SIP status the call ended with.', { examples: [200] })),
          details: maybe(text('The reason in words.', { examples: ['Normal call clearing'] }))
        },
        { description: 'Why the call ended.', ...marks({ bareText: 'details' }) }
      )
    ),
    direction: maybe(text('The route of the call, as prices are named.', { examples: ['Incoming PSTN US'] })),
    audioQuality: maybe(text('The quality of the sound: Standard, HD, Ultra HD, or another.', { examples: ['HD'] })),
    localNumber: maybe(text("The number, or user, on the upstream's side.", { examples: ['14155550100'] })),
    remoteNumber: maybe(text('The number, or user, on the other side.', { examples: ['14155550101'] })),
    remoteNumberType: maybe(text('What the remote number is: pstn, mobile, user or sip address.', { examples: ['pstn'] })),
    diversionNumber: maybe(text('The number the call was forwarded from.', { examples: ['14155550102'] })),
    customData: maybe(text('The text the call carried for the scenarios.', { examples: ['{"order":42}'] })),
    recordUrl: maybe(secretUrl('Where the recording of the call is.', 'https://storage.example.com/records/8001.mp3')),
    mediaServerAddress,
    cost,
    transactionId
  },
  { $id: 'Call', description: 'One call of a call session.' }
)
export type Call = Static<typeof Call>

export const Recording = Type.Object(
  {
    recordId: id('The id of the recording.', 6001),
    recordName: maybe(text('The name of the recording.', { examples: ['Order 42'] })),
    recordUrl: maybe(
      secretUrl(
        'Where the recording is. With secure storage, opening it needs authorization at the upstream.',
        'https://storage.example.com/records/6001.mp3'
      )
    ),
    startTime: maybe(timestamp('When the recording began.')),
    duration: maybe(integer('How long it is, in seconds.', { examples: [29] })),
    fileSize: maybe(integer('The size of the file, in bytes.', { examples: [232000] })),
    expirationDate: maybe(day('The day after which the recording is deleted.', { examples: ['2026-04-15'] })),
    isRemoved: maybe(flag('Whether the recording has been deleted.', { examples: [false] })),
    hdAudio: maybe(flag('Whether it was recorded in HD.', { examples: [false] })),
    lossless: maybe(flag('Whether it was recorded without loss.', { examples: [false] })),
    mediaParameters: maybe(text('The format of the file.', { examples: ['mp3'] })),
    transcriptionStatus: maybe(text('The state of its transcription: Not required, In progress or Complete.', { examples: ['Complete'] })),
    transcriptionUrl: maybe(
      secretUrl(
        'Where the transcription is; opening it needs authorization at the upstream.',
        'https://storage.example.com/transcriptions/6001.txt'
      )
    ),
    transcriptionTransactionId: maybe(integer('The transaction that charged the transcription; 0 for none.', { examples: [0] })),
    cost,
    transactionId
  },
  { $id: 'Recording', description: 'A recording made in a call session.' }
)
export type Recording = Static<typeof Recording>

export const ResourceUsage = Type.Object(
  {
    resourceUsageId: maybe(id('The id of this use.', 5001)),
    resourceType: maybe(
      text(
        'What was used: CALLSESSION, VIDEOCALL, VIDEORECORD, VOICEMAILDETECTION, YANDEXASR, ASR, TRANSCRIPTION, TTS_TEXT_GOOGLE, TTS_YANDEX, AUDIOHDCONFERENCE, or another.',
        { examples: ['ASR'] }
      )
    ),
    description: maybe(text('What was used, in words.', { examples: ['Speech recognition'] })),
    usedAt: maybe(timestamp('When the use began.')),
    resourceQuantity: maybe(decimal('How much was used, in `unit`.', { examples: [30] })),
    unit: maybe(text('The unit of the quantity.', { examples: ['second'] })),
    refCallId: maybe(id('The call it was used for.', 8001)),
    cost,
    transactionId
  },
  { $id: 'ResourceUsage', description: 'Something other than calls and recordings that a call session used.' }
)
export type ResourceUsage = Static<typeof ResourceUsage>

export const CallSession = Type.Object(
  {
    callSessionHistoryId: id('The id of the session.', 7001),
    startDate: maybe(timestamp('When the session began.')),
    active: maybe(flag('Whether the session is still running.', { examples: [false] })),
    duration: maybe(integer('How long the session lasted, with all its calls, in seconds.', { examples: [31] })),
    finishReason: maybe(
      text(
        'Why the session ended: Normal termination, Insufficient funds, Internal error (billing timeout), Terminated administratively, JS session error or Timeout.',
        { examples: ['Normal termination'] }
      )
    ),
    accountId: maybe(id('The account the session ran for.', 100001)),
    applicationId: maybe(id('The application the session ran in.')),
    applicationName: maybe(text('The name of that application.', { examples: ['support.acme.n1.voximplant.com'] })),
    ruleName: maybe(text('The rule that started the session.', { examples: ['incoming'] })),
    userId: maybe(id('The user who started the session.')),
    customData: maybe(text('The text given to the session.', { examples: ['{"order":42}'] })),
    audioQuality: maybe(text('The quality of the sound: Standard, HD or Ultra HD.', { examples: ['HD'] })),
    initiatorAddress: maybe(text('The IP address that started the session.', { examples: ['198.51.100.4'] })),
    mediaServerAddress,
    logFileUrl: maybe(
      secretUrl(
        'Where the log of the session is, for a month. With secure storage, opening it needs authorization at the upstream.',
        'https://storage.example.com/logs/7001'
      )
    ),
    calls: maybe(Type.Array(ref(Call), { description: 'The calls of the session; with `withCalls`.' })),
    records: maybe(Type.Array(ref(Recording), { description: 'The recordings made in the session; with `withRecords`.' })),
    otherResourceUsage: maybe(Type.Array(ref(ResourceUsage), { description: 'What else the session used; with `withOtherResources`.' }))
  },
  { $id: 'CallSession', description: 'One run of scenarios, with the calls it made and took.' }
)
export type CallSession = Static<typeof CallSession>
