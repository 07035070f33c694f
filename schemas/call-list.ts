import { type Static, Type } from '@sinclair/typebox'
import { encodingNames, encodingPattern, maxCells, maxColumns } from '../src/voximplant/wire/csv-limits.ts'
import { marks } from '../src/voximplant/wire/marks.ts'
import { decimal, flag, formattedName, id, integer, ipv4, maybe, oneOf, strict, text, timestamp, unixTime } from './common.ts'

const taskUuidForm = '1 to 40 letters, digits, hyphens and colons'

export const CallListName = formattedName(
  'The name of the call list.',
  '[^;/\\\\\\r\\n\\u0000]{1,255}',
  'Up to 255 characters, without slashes, semicolons and line breaks.',
  { examples: ['Spring campaign'] }
)
export const CallListPriority = integer('The priority among the call lists: 0 is the highest.', {
  minimum: 0,
  maximum: 2 ** 31,
  examples: [0]
})
export const MaxSimultaneous = integer('How many tasks are called at the same time at most.', { minimum: 1, examples: [10] })
export const NumAttempts = integer('How many times a task is tried at most.', { minimum: 1, examples: [3] })
/** Where a list is created, the upstream takes fewer. */
export const FirstNumAttempts = integer('How many times a task is tried at most: 1 to 5.', { minimum: 1, maximum: 5, examples: [3] })
export const IntervalSeconds = integer(
  'How many seconds pass at least between two attempts of a task: 0 when it is left out of a new call list.',
  { minimum: 0, examples: [600] }
)
export const StartAt = unixTime('When the call list is to start.')
export const ListCustomData = text('Any text of your own, kept with the call list.', { maxLength: 65535, examples: ['{"campaign":42}'] })
export const ServerLocation = text('Where the server stands that calls; one of the locations the upstream names.', {
  minLength: 1,
  maxLength: 255,
  examples: ['us_east']
})
export const CallListIpAddress = text('An IPv4 address near those who are called, by which the nearest server is found.', {
  ...ipv4,
  examples: ['192.0.2.7']
})
export const TaskPriorityStrategy = oneOf(
  ['first_attempts', 'repeated_attempts'],
  'What is called first: tasks not yet tried (the default), or tasks tried before.'
)
export const PersonalCampaignType = oneOf(
  ['smart', 'strict'],
  'The mode of a personal campaign: `smart` when it is left out. Only with `isPersonalCampaign`.'
)
export const IsPersonalCampaign = flag('Whether the call list is a personal campaign. Needed with `personalCampaignType`.')
export const MaximumErrorRate = decimal(
  'The share of answered calls that may go without an operator, from 0 to 1, for `predictive` dialing.',
  { minimum: 0, maximum: 1, examples: [0.02] }
)
export const MinimumBusyFactor = decimal('The share of their time that operators shall be busy at least, for `predictive` dialing.', {
  minimum: 0,
  examples: [0.8]
})
export const TaskMultiplier = decimal('How many tasks are called for each free operator, for `progressive` dialing.', {
  minimum: 0,
  examples: [1]
})

/** What a dialer that predicts starts its statistics with. */
export const dialingStatistics = {
  avgDialTimeSec: maybe(decimal('How long dialing takes on average, in seconds.', { minimum: 0, examples: [15] })),
  avgTimeTalkSec: maybe(decimal('How long a conversation takes on average, in seconds.', { minimum: 0, examples: [90] })),
  avgTotalTimeSec: maybe(decimal('How long a call takes on average in all, in seconds.', { minimum: 0, examples: [110] })),
  percentSuccessful: maybe(decimal('The share of calls that succeed.', { minimum: 0, examples: [0.4] }))
}

const sign = (description: string, examples: string[]) => ({
  ...text(description, { pattern: '^[\\t\\x20-\\x7e]$', examples }),
  ...marks({ expects: 'one character of ASCII: a tab, a space or a visible one' })
})

/** How the CSV of a call list is written. */
export const csvFormat = {
  delimiter: maybe(sign('What stands between two columns: `;` when it is left out.', [';'])),
  quote: maybe(sign('What stands before and after a value that holds a delimiter or a line break: `"` when it is left out.', ['"'])),
  escape: maybe(sign('What stands before a quotation mark within a value; without it, the quotation mark is doubled.', ['\\'])),
  encoding: maybe({
    ...text('The encoding of the file: UTF-8 when it is left out.', {
      pattern: '^[A-Za-z0-9][A-Za-z0-9._:+-]{0,39}$',
      examples: ['UTF-8']
    }),
    ...marks({ expects: 'the name of an encoding, such as UTF-8 or windows-1251' })
  })
}

/** The encodings in which the service itself writes a CSV. */
export const WritableEncoding = maybe({
  ...text(`The encoding of the CSV that is made of the tasks, one of ${encodingNames.join(', ')} in any case: UTF-8 when it is left out.`, {
    pattern: encodingPattern,
    examples: ['UTF-8']
  }),
  ...marks({ expects: `one of ${encodingNames.join(', ')}; a file can be uploaded in any encoding` })
})

const timeOfDay = (description: string, example: string) => ({
  ...text(description, { pattern: '^(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$', examples: [example] }),
  ...marks({ expects: 'a time of day as HH:mm:ss' })
})

/** What a cell of a call list can hold. */
const cell = { type: ['string', 'number', 'boolean'], ...marks({ expects: 'text, a number, or true or false' }) }

/** The tasks of a call list as JSON: each a row, its fields the columns. */
export const CallListTasks = Type.Array(
  Type.Unsafe<Record<string, string | number | boolean>>({
    type: 'object',
    properties: {
      __start_execution_time: timeOfDay('From when on the task may be called on a day, in UTC: HH:mm:ss.', '09:00:00'),
      __end_execution_time: timeOfDay('Until when the task may be called on a day, in UTC: HH:mm:ss.', '18:00:00'),
      __start_at: timestamp('From when on the task may be called.'),
      __task_uuid: text('Your own id of the task: up to 40 letters, digits, hyphens and colons.', {
        pattern: '^[A-Za-z0-9:-]{1,40}$',
        expects: taskUuidForm,
        examples: ['order-4711']
      })
    },
    additionalProperties: cell,
    propertyNames: {
      pattern: '^[^\\r\\n\\u0000]{1,255}$',
      ...marks({ expects: 'named with 1 to 255 characters without line breaks or NUL' })
    },
    minProperties: 1,
    maxProperties: maxColumns,
    description: "One task. The scenario gets its fields as custom data; those that begin with `__` are the upstream's own."
  }),
  {
    minItems: 1,
    maxItems: 10_000,
    description: `The tasks, in place of a file: up to 10,000, in a body of 1 MiB at most. Together they have up to ${maxColumns} different fields, each of which is a column, and rows and columns make up to ${maxCells.toLocaleString('en')} cells.`,
    examples: [[{ phone: '14155550101', name: 'Ada', __task_uuid: 'order-4711' }]]
  }
)

export const CallList = Type.Object(
  {
    listId: id('The id of the call list.'),
    listName: maybe(text('The name of the call list.', { examples: ['Spring campaign'] })),
    status: maybe(text('The status, such as `In progress`, `Completed` or `Canceled`.', { examples: ['In progress'] })),
    priority: maybe(integer('The priority among the call lists: 0 is the highest.', { examples: [0] })),
    ruleId: maybe(id('The rule whose scenarios make the calls.')),
    maxSimultaneous: maybe(integer('How many tasks are called at the same time at most.', { examples: [10] })),
    numAttempts: maybe(integer('How many times a task is tried at most.', { examples: [3] })),
    intervalSeconds: maybe(integer('How many seconds pass between two attempts of a task.', { examples: [600] })),
    taskPriorityStrategy: maybe(text('What is called first: `first_attempts` or `repeated_attempts`.', { examples: ['first_attempts'] })),
    dtSubmit: maybe(timestamp('When the call list was submitted.')),
    dtComplete: maybe(timestamp('When the call list was completed.', { examples: ['2026-01-15T17:30:00Z'] }))
  },
  { $id: 'CallList', description: 'A list of tasks, each of which a scenario tries to call.' }
)
export type CallList = Static<typeof CallList>

/** A task's UUID, as the column `__task_uuid` of a call list gives it. */
export const TaskUuid = text('The UUID given to the task: up to 40 letters, digits, hyphens and colons.', {
  pattern: '^[A-Za-z0-9:-]{1,40}$',
  expects: taskUuidForm,
  examples: ['order-4711']
})

export const TaskPriority = strict(
  {
    taskId: maybe(id('The id of the task.', 501)),
    taskUuid: maybe(TaskUuid),
    taskPriority: integer('The new priority of the task.', { examples: [1] })
  },
  // With `taskPriority`, that leaves room for exactly one of the two.
  { minProperties: 2, maxProperties: 2, description: 'A task, by exactly one of `taskId` and `taskUuid`, and its new priority.' }
)

export const CallListTaskChange = Type.Object(
  {
    taskId: maybe(id('The id of the task.', 501)),
    taskUuid: maybe(text('The UUID given to the task.', { examples: ['order-4711'] })),
    result: maybe(flag('Whether the task was changed.')),
    errorMsg: maybe(text('Why it was not, in the words of the upstream.', { examples: ['The task is not found.'] }))
  },
  { $id: 'CallListTaskChange', description: 'What became of the change of one task.' }
)
export type CallListTaskChange = Static<typeof CallListTaskChange>

export const CallListTaskCancellation = Type.Object(
  {
    taskId: maybe(id('The id of the task.', 501)),
    taskUuid: maybe(text('The UUID given to the task.', { examples: ['order-4711'] })),
    result: maybe(flag('Whether the task was cancelled.')),
    errorMsg: maybe(text('Why it was not, in the words of the upstream.', { examples: ['The task is already processed.'] }))
  },
  { $id: 'CallListTaskCancellation', description: 'What became of the cancelling of one task.' }
)
export type CallListTaskCancellation = Static<typeof CallListTaskCancellation>
