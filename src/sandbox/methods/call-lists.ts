import { randomUUID } from 'node:crypto'
import { isIPv4 } from 'node:net'
import type { CallList } from '../../../schemas/call-list.ts'
import { toSnake } from '../../voximplant/wire/names.ts'
import { type Params, refuse, type SandboxFile } from '../codec.ts'
import { readCsv } from '../csv.ts'
import { chooseOne, holdsPart, now, pageOf } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { applications, chosenApplications, chosenRules, rules, whenDeleted } from '../tables.ts'
import type { Method } from './index.ts'

/** Whether a call list is dialed by the upstream, or task by task when a scenario asks for one. */
type ListType = 'AUTOMATIC' | 'MANUAL'

interface ListRow extends CallList {
  applicationId: number
  listType: ListType
  startAt?: number
  listCustomData?: string
  serverLocation?: string
  ipAddress?: string
}

interface TaskRow {
  taskId: number
  listId: number
  batchId: string
  taskUuid: string
  /** The columns of the CSV that are not the upstream's own, as JSON text: what the scenario gets. */
  customData: string
  statusId: number
  attemptsLeft: number
  taskPriority?: number
  /** From when to when the task may be called on any day: HH:mm:ss, UTC. */
  startExecutionTime?: string
  finishExecutionTime?: string
  /** Unix seconds. */
  startAt?: number
  lastAttempt?: string
  resultData?: string
}

const lists = table<ListRow>('callLists', 'listId')
const tasks = table<TaskRow>('callListTasks', 'taskId', 501)

const state = { new: 0, inProgress: 1, processed: 2, error: 3, canceled: 4 } as const
const isOpen = (task: TaskRow): boolean => task.statusId === state.new || task.statusId === state.inProgress

const statuses = ['In progress', 'Completed', 'Canceled', 'Suspended']
const strategies = ['first_attempts', 'repeated_attempts']
const listTypes = ['automatic', 'manual', 'predictive', 'progressive']
const maxPriority = 2 ** 31
const maxCancelled = 1000

/** The upstream's general refusal of a value. */
const invalid = (field: string): never => refuse('INVALID', field, `The '${toSnake(field)}' parameter is invalid.`)

function removeLists(account: AccountState, matches: (row: ListRow) => boolean): void {
  const ids = lists
    .rows(account)
    .filter(matches)
    .map(row => row.listId)
  lists.remove(account, row => ids.includes(row.listId))
  tasks.remove(account, row => ids.includes(row.listId))
}

whenDeleted('applications', (account, ids) => removeLists(account, row => ids.includes(row.applicationId)))

// ---------------------------------------------------------------------------------------------------------------- the CSV

type NewTask = Pick<TaskRow, 'taskUuid' | 'customData' | 'startExecutionTime' | 'finishExecutionTime' | 'startAt'>

const noCsv = (message: string): never => refuse('INVALID_CSV_FILE', 'fileContent', `The CSV file is invalid: ${message}.`)

function oneCharacter(params: Params, name: string, otherwise: string): string {
  const text = params.text(name) ?? otherwise
  return text.length === 1 && !/[\r\n]/.test(text) ? text : invalid(name)
}

/** The uploaded file as text. A file that came as an ordinary parameter is text already, whatever `encoding` says. */
function textOf(params: Params): string {
  const file = params.need('fileContent', params.file('fileContent') as SandboxFile | string | undefined)
  if (typeof file === 'string') return file
  const encoding = params.text('encoding') ?? 'UTF-8'
  let decoder: InstanceType<typeof TextDecoder>
  try {
    decoder = new TextDecoder(encoding, { fatal: true })
  } catch {
    return invalid('encoding')
  }
  try {
    return decoder.decode(file.bytes)
  } catch {
    return noCsv(`it is not written in ${encoding}`)
  }
}

function rowsOf(params: Params): string[][] {
  const quote = oneCharacter(params, 'quote', '"')
  const format = { delimiter: oneCharacter(params, 'delimiter', ';'), quote, escape: oneCharacter(params, 'escape', quote) }
  if (format.delimiter === quote || format.delimiter === format.escape) invalid('delimiter')
  const text = textOf(params)
  try {
    return readCsv(text, format)
  } catch (error) {
    return noCsv((error as Error).message)
  }
}

/** The columns that the upstream reads itself: how each is checked, and what it becomes. */
const ownColumns: Record<string, { field: keyof NewTask; form: RegExp }> = {
  __start_execution_time: { field: 'startExecutionTime', form: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/ },
  __end_execution_time: { field: 'finishExecutionTime', form: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/ },
  __start_at: { field: 'startAt', form: /^\d{1,11}$/ },
  __task_uuid: { field: 'taskUuid', form: /^[A-Za-z0-9:-]{1,40}$/ }
}

/** The tasks of the call's CSV. Refuses the whole file when one line is wrong. `taken`: the UUIDs that the call list has already. */
function tasksOf(params: Params, taken: Iterable<string>): NewTask[] {
  const [header, ...rows] = rowsOf(params)
  if (!header || rows.length === 0) return noCsv('it has no header and line of data')
  const columns = header.map(name => name.trim())
  if (columns.includes('')) noCsv('a column has no name')
  if (new Set(columns).size < columns.length) noCsv('two columns have the same name')
  const uuids = new Set(taken)
  return rows.map((row, i) => {
    const record = `record ${i + 1}`
    if (row.length !== columns.length) noCsv(`${record} has ${row.length} fields, the header ${columns.length}`)
    const task: NewTask = { taskUuid: randomUUID(), customData: '' }
    const data: [string, string][] = []
    for (const [at, column] of columns.entries()) {
      const cell = row[at]!
      const own = Object.hasOwn(ownColumns, column) ? ownColumns[column] : undefined
      if (!own) data.push([column, cell])
      else if (cell !== '') {
        if (!own.form.test(cell)) noCsv(`${record} has no ${column} of the form that it must have`)
        Object.assign(task, { [own.field]: own.field === 'startAt' ? Number(cell) : cell })
      }
    }
    if (uuids.has(task.taskUuid)) noCsv(`${record} has a __task_uuid that is not unique in the call list`)
    uuids.add(task.taskUuid)
    return { ...task, customData: JSON.stringify(Object.fromEntries(data)) }
  })
}

/** Puts the tasks of a call's CSV into a list, as one batch. */
function addBatch(account: AccountState, { listId, numAttempts }: ListRow, added: NewTask[]) {
  const batchId = randomUUID()
  for (const task of added) tasks.add(account, { ...task, listId, batchId, statusId: state.new, attemptsLeft: numAttempts ?? 1 })
  return { result: true, count: added.length, listId, batchId }
}

// ----------------------------------------------------------------------------------------------------------------- settings

/** The settings a call gives that creating and editing share, checked; those it does not give are left out. */
function settingsOf(params: Params): Partial<ListRow> {
  const name = params.text('name')
  const priority = params.number('priority')
  const maxSimultaneous = params.number('maxSimultaneous')
  const numAttempts = params.number('numAttempts')
  const intervalSeconds = params.number('intervalSeconds')
  const taskPriorityStrategy = params.text('taskPriorityStrategy')
  const serverLocation = params.text('serverLocation')
  const ipAddress = params.text('ipAddress')
  // Editing knows the type by a second name.
  const type = params.text('callListType') ?? (params.has('callType') ? params.text('callType') : undefined)
  if (name !== undefined && (name.length > 255 || /[/\\]/.test(name))) refuse('INVALID_NAME', 'name')
  if (priority !== undefined && (!Number.isInteger(priority) || priority < 0 || priority > maxPriority))
    refuse('INVALID_PRIORIITY', 'priority')
  if (maxSimultaneous !== undefined && maxSimultaneous < 1) refuse('INVALID_MAX_SIMULTANEOUS', 'maxSimultaneous')
  if (numAttempts !== undefined && numAttempts < 1) refuse('INVALID_NUM_ATTEMPTS', 'numAttempts')
  if (intervalSeconds !== undefined && intervalSeconds < 0) invalid('intervalSeconds')
  if (taskPriorityStrategy !== undefined && !strategies.includes(taskPriorityStrategy)) invalid('taskPriorityStrategy')
  // The sandbox keeps no list of locations: only what cannot be one is refused.
  if (serverLocation !== undefined && !/^[a-z]{2}[a-z0-9_-]*$/.test(serverLocation)) invalid('serverLocation')
  if (ipAddress !== undefined && !isIPv4(ipAddress)) invalid('ipAddress')
  if (type !== undefined && !listTypes.includes(type)) refuse('INVALID_LIST_TYPE', 'callListType')
  const given: Partial<ListRow> = {
    listName: name,
    priority,
    maxSimultaneous,
    numAttempts,
    intervalSeconds,
    taskPriorityStrategy,
    serverLocation,
    ipAddress,
    listType: type === undefined ? undefined : type === 'manual' ? 'MANUAL' : 'AUTOMATIC',
    listCustomData: params.text('listCustomData'),
    startAt: params.number('startAt')
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

const theList = (account: AccountState, params: Params): ListRow =>
  chooseOne(lists.rows(account), params, { id: 'listId', name: 'listName', unknownId: 'INVALID_LIST_ID' })

const theListById = (account: AccountState, params: Params): ListRow =>
  lists.find(account, params.need('listId', params.number('listId'))) ?? refuse('INVALID_LIST_ID', 'listId')

/** The list of a method whose refusal comes from the service behind the upstream, which has no code of its own for an unknown list. */
const theListOfTheCallService = (account: AccountState, params: Params): ListRow =>
  lists.find(account, params.need('listId', params.number('listId'))) ?? refuse('CALL_SERVICE_ERROR', 'listId')

const tasksIn = (account: AccountState, { listId }: ListRow): TaskRow[] => tasks.rows(account).filter(row => row.listId === listId)

/** Completes a list of which nothing is left to be called. */
function settle(account: AccountState, list: ListRow): void {
  if (list.status === 'In progress' && !tasksIn(account, list).some(isOpen)) Object.assign(list, { status: 'Completed', dtComplete: now() })
}

export const methods: Record<string, Method> = {
  CreateCallList(params, account) {
    const ruleId = params.need('ruleId', params.number('ruleId'))
    const settings = settingsOf(params)
    for (const name of ['name', 'priority', 'maxSimultaneous', 'numAttempts']) if (!params.has(name)) refuse('REQUIRED_IS_EMPTY', name)
    const { applicationId } = rules.find(account, ruleId) ?? refuse('INVALID_RULE_ID', 'ruleId')
    if (params.number('numAttempts')! > 5) refuse('INVALID_NUM_ATTEMPTS', 'numAttempts')
    const referenceIp = params.text('referenceIp')
    if (referenceIp !== undefined && !isIPv4(referenceIp)) refuse('INVALID_REFERENCE_IP', 'referenceIp')
    const added = tasksOf(params, [])
    const list = lists.add(account, {
      intervalSeconds: 0,
      taskPriorityStrategy: 'first_attempts',
      listType: 'AUTOMATIC',
      ...settings,
      ruleId,
      applicationId,
      status: params.flag('isCancelled') ? 'Canceled' : 'In progress',
      dtSubmit: now()
    })
    return addBatch(account, list, added)
  },

  AppendToCallList(params, account) {
    const list = theList(account, params)
    const added = tasksOf(
      params,
      tasksIn(account, list).map(task => task.taskUuid)
    )
    if (list.status === 'Completed') Object.assign(list, { status: 'In progress', dtComplete: undefined })
    return addBatch(account, list, added)
  },

  GetCallLists(params, account) {
    const ids = params.ids('listId')
    const name = params.text('name')
    const status = params.text('status')
    const active = params.flag('isActive')
    const type = params.text('typeList')
    const ofApplications = chosenApplications(account, params)?.map(row => row.applicationId)
    const ofRules = chosenRules(account, params)?.map(row => row.ruleId)
    const from = params.text('fromDate')
    const to = params.text('toDate')
    if (status !== undefined && !statuses.includes(status)) refuse('INVALID_STATUS', 'status')
    if (type !== undefined && type !== 'AUTOMATIC' && type !== 'MANUAL') refuse('INVALID_LIST_TYPE', 'typeList')
    if (from !== undefined && to !== undefined && to < from) refuse('INVALID_DATE_RANGE', 'toDate')
    return pageOf(
      lists
        .rows(account)
        .filter(
          row =>
            (ids === undefined || ids === 'all' || ids.includes(row.listId)) &&
            holdsPart(row.listName, name) &&
            (status === undefined || row.status === status) &&
            (active === undefined || (row.status === 'In progress') === active) &&
            (type === undefined || row.listType === type) &&
            (ofApplications === undefined || ofApplications.includes(row.applicationId)) &&
            (ofRules === undefined || ofRules.includes(row.ruleId ?? 0)) &&
            (from === undefined || row.dtSubmit! >= from) &&
            (to === undefined || row.dtSubmit! <= to)
        ),
      params
    )
  },

  EditCallList(params, account) {
    const list = theListOfTheCallService(account, params)
    Object.assign(list, settingsOf(params))
    return { result: true }
  },

  DeleteCallList(params, account) {
    const { listId } = theListById(account, params)
    removeLists(account, row => row.listId === listId)
    return { result: true, msg: 'The call list has been deleted.' }
  },

  EditCallListTasksPriority(params, account) {
    const list = theListOfTheCallService(account, params)
    const wanted = params.need('tasks', params.json('tasks'))
    const isChange = (change: unknown): change is { taskId?: number; taskUuid?: string; taskPriority: number } => {
      if (typeof change !== 'object' || change === null) return false
      const { taskId, taskUuid, taskPriority } = change as Record<string, unknown>
      return Number.isInteger(taskPriority) && (Number.isInteger(taskId) || typeof taskUuid === 'string')
    }
    if (!Array.isArray(wanted) || wanted.length === 0 || !wanted.every(isChange)) return invalid('tasks')
    const within = tasksIn(account, list)
    const results = wanted.map(({ taskId, taskUuid, taskPriority }) => {
      const task = within.find(row => (taskId === undefined ? row.taskUuid === taskUuid : row.taskId === taskId))
      if (!task) return { taskId, taskUuid, result: false, errorMsg: 'The task is not found.' }
      task.taskPriority = taskPriority
      return { taskId: task.taskId, taskUuid: task.taskUuid, result: true }
    })
    return { results }
  },

  CancelCallListTask(params, account) {
    const list = theListById(account, params)
    const ids = params.ids('tasksIds')
    const uuids = params.texts('tasksUuids')
    if (ids !== undefined && uuids !== undefined) refuse('ONLY_ONE_OF_PARAMETERS', 'tasksIds')
    const within = tasksIn(account, list)
    const named = ids === 'all' ? refuse('INVALID_ARGUMENTS', 'tasksIds') : (ids ?? uuids ?? refuse('REQUIRED_IS_EMPTY', 'tasksIds'))
    if (named.length > maxCancelled) refuse('TOO_LONG', ids ? 'tasksIds' : 'tasksUuids')
    const outcomes = named.map(name => {
      const task = within.find(row => (typeof name === 'number' ? row.taskId === name : row.taskUuid === name))
      const which = typeof name === 'number' ? { task_id: name, task_uuid: task?.taskUuid } : { task_id: task?.taskId, task_uuid: name }
      if (!task) return { ...which, result: false, error_msg: 'The task is not found.' }
      if (!isOpen(task)) return { ...which, result: false, error_msg: 'The task is already processed.' }
      task.statusId = state.canceled
      return { ...which, result: true }
    })
    settle(account, list)
    const [{ task_id: taskId, task_uuid: taskUuid, result, error_msg: errorMsg }] = outcomes as [
      { error_msg?: string } & (typeof outcomes)[0]
    ]
    // The reference knows one task only, whose outcome is the answer; of several the outcomes come as a list.
    return outcomes.length === 1 ? { taskId, taskUuid, result, errorMsg } : { result: outcomes }
  },

  CancelCallListBatch(params, account) {
    const list = theList(account, params)
    const batchIds = params.need('batchIds', params.texts('batchIds'))
    const within = tasksIn(account, list)
    if (batchIds.some(id => !within.some(task => task.batchId === id))) invalid('batchIds')
    for (const task of within) if (batchIds.includes(task.batchId) && isOpen(task)) task.statusId = state.canceled
    settle(account, list)
    return { result: true }
  }
}

export function seed(account: AccountState): void {
  const names = applications.rows(account).map(row => row.applicationId)
  const outgoing = (application: number | undefined) =>
    rules.rows(account).find(row => row.applicationId === application && row.ruleName === 'outgoing')!
  const usual = { priority: 0, maxSimultaneous: 10, numAttempts: 3, intervalSeconds: 600, taskPriorityStrategy: 'first_attempts' }
  const people = [
    ['order-4711', '14155550111', 'Ada', state.new],
    ['order-4712', '14155550112', 'Grace', state.inProgress],
    ['order-4713', '14155550113', 'Linus', state.processed],
    ['order-4714', '14155550114', 'Margaret', state.error]
  ] as const
  const seeded = [
    {
      name: 'Spring campaign',
      of: names[0],
      status: 'In progress',
      day: '2026-01-15',
      listType: 'AUTOMATIC',
      batch: '6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f'
    },
    {
      name: 'Payment reminders',
      of: names[2],
      status: 'Completed',
      day: '2026-01-10',
      listType: 'AUTOMATIC',
      batch: '0b7a1f52-6c1d-4d0e-8f0a-5b9d3c2e1f40'
    },
    {
      name: 'Callbacks by hand',
      of: names[1],
      status: 'Canceled',
      day: '2025-12-01',
      listType: 'MANUAL',
      batch: 'c2b0d5a4-93f7-4e61-b1a8-7e4f6d3c2b15'
    }
  ] as const
  for (const { name, of, status, day, listType, batch } of seeded) {
    const { ruleId, applicationId } = outgoing(of)
    const { listId } = lists.add(account, {
      ...usual,
      listName: name,
      ruleId,
      applicationId,
      listType,
      status,
      dtSubmit: `${day}T09:30:00Z`,
      dtComplete: status === 'In progress' ? undefined : `${day}T17:30:00Z`
    })
    for (const [taskUuid, phone, firstName, running] of people) {
      const statusId = status === 'In progress' ? running : status === 'Completed' ? state.processed : state.canceled
      const tried = statusId === state.processed || statusId === state.error
      tasks.add(account, {
        listId,
        batchId: batch,
        taskUuid,
        customData: JSON.stringify({ phone, first_name: firstName }),
        statusId,
        attemptsLeft: tried ? 0 : 3,
        startExecutionTime: '09:00:00',
        finishExecutionTime: '18:00:00',
        lastAttempt: tried ? `${day}T10:00:00Z` : undefined,
        resultData: tried ? JSON.stringify({ answered: statusId === state.processed }) : undefined
      })
    }
  }
}
