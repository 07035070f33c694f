import { randomUUID } from 'node:crypto'
import { isIPv4 } from 'node:net'
import type { CallList } from '../../../schemas/call-list.ts'
import { type Params, reject } from '../codec.ts'
import type { Methods } from '../method.ts'
import { between, containing, defined, demoRow, matches, now, pageOf, selectOne } from '../query.ts'
import { type AccountState, table } from '../state.ts'
import { demoApplicationId, onDelete, rules, selectApplicationIds, selectRules } from '../tables.ts'
import { invalid, type NewTask, readTasks, type TaskRow } from './call-list-tasks.ts'

/** Whether the upstream dials a call list, or a scenario requests it task by task. */
type ListType = 'AUTOMATIC' | 'MANUAL'

interface ListRow extends CallList {
  applicationId: number
  listType: ListType
  startAt?: number
  listCustomData?: string
  serverLocation?: string
  ipAddress?: string
}

const lists = table<ListRow, 'listId'>('callLists', 'listId')
const tasks = table<TaskRow, 'taskId'>('callListTasks', 'taskId', 501)

const state = { new: 0, inProgress: 1, processed: 2, error: 3, canceled: 4 } as const
const isOpen = (task: TaskRow): boolean => task.statusId === state.new || task.statusId === state.inProgress

const statuses = ['In progress', 'Completed', 'Canceled', 'Suspended']
const strategies = ['first_attempts', 'repeated_attempts']
const listTypes = ['automatic', 'manual', 'predictive', 'progressive']
const maxPriority = 2 ** 31
const maxCancelled = 1000

function removeLists(account: AccountState, rows: ListRow[]): void {
  tasks.remove(account, tasks.where(account, { listId: rows.map(row => row.listId) }))
  lists.remove(account, rows)
}

onDelete('applications', (account, ids) => removeLists(account, lists.where(account, { applicationId: ids })))

/** Adds the tasks of a call's CSV to a list, as one batch. */
function addBatch(account: AccountState, { listId, numAttempts }: ListRow, added: NewTask[]) {
  const batchId = randomUUID()
  for (const task of added) tasks.add(account, { ...task, listId, batchId, statusId: state.new, attemptsLeft: numAttempts ?? 1 })
  return { result: true, count: added.length, listId, batchId }
}

// ----------------------------------------------------------------------------------------------------------------- settings

/** The settings of a call, checked, that creating and editing share. */
function settingsOf(params: Params): Partial<ListRow> {
  const name = params.text('name')
  const priority = params.number('priority')
  const maxSimultaneous = params.number('maxSimultaneous')
  const numAttempts = params.number('numAttempts')
  const intervalSeconds = params.number('intervalSeconds')
  const taskPriorityStrategy = params.text('taskPriorityStrategy')
  const serverLocation = params.text('serverLocation')
  const ipAddress = params.text('ipAddress')
  // Editing has a second name for the type.
  const type = params.text('callListType') ?? (params.has('callType') ? params.text('callType') : undefined)
  if (name !== undefined && (name.length > 255 || /[/\\]/.test(name))) reject('INVALID_NAME', 'name')
  if (priority !== undefined && (!Number.isInteger(priority) || priority < 0 || priority > maxPriority))
    reject('INVALID_PRIORIITY', 'priority')
  if (maxSimultaneous !== undefined && maxSimultaneous < 1) reject('INVALID_MAX_SIMULTANEOUS', 'maxSimultaneous')
  if (numAttempts !== undefined && numAttempts < 1) reject('INVALID_NUM_ATTEMPTS', 'numAttempts')
  if (intervalSeconds !== undefined && intervalSeconds < 0) invalid('intervalSeconds')
  if (taskPriorityStrategy !== undefined && !strategies.includes(taskPriorityStrategy)) invalid('taskPriorityStrategy')
  // The sandbox has no list of locations: it rejects only what cannot be one.
  if (serverLocation !== undefined && !/^[a-z]{2}[a-z0-9_-]*$/.test(serverLocation)) invalid('serverLocation')
  if (ipAddress !== undefined && !isIPv4(ipAddress)) invalid('ipAddress')
  if (type !== undefined && !listTypes.includes(type)) reject('INVALID_LIST_TYPE', 'callListType')
  return defined<Partial<ListRow>>({
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
  })
}

const requireList = (account: AccountState, params: Params): ListRow =>
  selectOne(lists.rows(account), params, { id: 'listId', name: 'listName', unknownId: 'INVALID_LIST_ID' })

const requireListById = (account: AccountState, params: Params): ListRow =>
  lists.find(account, params.requiredNumber('listId')) ?? reject('INVALID_LIST_ID', 'listId')

/** The list of a method whose errors come from the service behind the upstream, which has no code of its own for an unknown list. */
const requireListOfCallService = (account: AccountState, params: Params): ListRow =>
  lists.find(account, params.requiredNumber('listId')) ?? reject('CALL_SERVICE_ERROR', 'listId')

const tasksIn = (account: AccountState, { listId }: ListRow): TaskRow[] => tasks.where(account, { listId })

/** Completes a list without open tasks. */
function completeIfDone(account: AccountState, list: ListRow): void {
  if (list.status === 'In progress' && !tasksIn(account, list).some(isOpen)) Object.assign(list, { status: 'Completed', dtComplete: now() })
}

export const methods: Methods = {
  CreateCallList(params, account) {
    const ruleId = params.requiredNumber('ruleId')
    const settings = settingsOf(params)
    for (const name of ['name', 'priority', 'maxSimultaneous', 'numAttempts']) if (!params.has(name)) reject('REQUIRED_IS_EMPTY', name)
    const { applicationId } = rules.find(account, ruleId) ?? reject('INVALID_RULE_ID', 'ruleId')
    if ((settings.numAttempts ?? 0) > 5) reject('INVALID_NUM_ATTEMPTS', 'numAttempts')
    const referenceIp = params.text('referenceIp')
    if (referenceIp !== undefined && !isIPv4(referenceIp)) reject('INVALID_REFERENCE_IP', 'referenceIp')
    const added = readTasks(params, [])
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
    const list = requireList(account, params)
    const added = readTasks(
      params,
      tasksIn(account, list).map(task => task.taskUuid)
    )
    if (list.status === 'Completed') Object.assign(list, { status: 'In progress', dtComplete: undefined })
    return addBatch(account, list, added)
  },

  GetCallLists(params, account) {
    const status = params.text('status')
    const active = params.flag('isActive')
    const listType = params.text('typeList')
    const applicationId = selectApplicationIds(account, params)
    const ruleId = selectRules(account, params)?.map(row => row.ruleId)
    const from = params.text('fromDate')
    const to = params.text('toDate')
    if (status !== undefined && !statuses.includes(status)) reject('INVALID_STATUS', 'status')
    if (listType !== undefined && listType !== 'AUTOMATIC' && listType !== 'MANUAL') return reject('INVALID_LIST_TYPE', 'typeList')
    if (from !== undefined && to !== undefined && to < from) reject('INVALID_DATE_RANGE', 'toDate')
    const rows = lists.where(account, {
      listId: params.ids('listId'),
      listName: containing(params.text('name')),
      status,
      listType,
      applicationId,
      ruleId,
      dtSubmit: between(from, to)
    })
    return pageOf(
      rows.filter(row => matches(active, row.status === 'In progress')),
      params
    )
  },

  EditCallList(params, account) {
    const list = requireListOfCallService(account, params)
    Object.assign(list, settingsOf(params))
    return { result: true }
  },

  DeleteCallList(params, account) {
    removeLists(account, [requireListById(account, params)])
    return { result: true, msg: 'The call list has been deleted.' }
  },

  EditCallListTasksPriority(params, account) {
    const list = requireListOfCallService(account, params)
    const changes = params.json('tasks') ?? reject('REQUIRED_IS_EMPTY', 'tasks')
    const isChange = (change: unknown): change is { taskId?: number; taskUuid?: string; taskPriority: number } => {
      if (typeof change !== 'object' || change === null || !('taskPriority' in change) || !Number.isInteger(change.taskPriority))
        return false
      return ('taskId' in change && Number.isInteger(change.taskId)) || ('taskUuid' in change && typeof change.taskUuid === 'string')
    }
    if (!Array.isArray(changes) || changes.length === 0 || !changes.every(isChange)) return invalid('tasks')
    const within = tasksIn(account, list)
    const results = changes.map(({ taskId, taskUuid, taskPriority }) => {
      const task = within.find(row => (taskId === undefined ? row.taskUuid === taskUuid : row.taskId === taskId))
      if (!task) return { taskId, taskUuid, result: false, errorMsg: 'The task is not found.' }
      task.taskPriority = taskPriority
      return { taskId: task.taskId, taskUuid: task.taskUuid, result: true }
    })
    return { results }
  },

  CancelCallListTask(params, account) {
    const list = requireListById(account, params)
    const ids = params.ids('tasksIds')
    const uuids = params.texts('tasksUuids')
    if (ids !== undefined && uuids !== undefined) reject('ONLY_ONE_OF_PARAMETERS', 'tasksIds')
    const tasksOfList = tasksIn(account, list)
    const named = ids === 'all' ? reject('INVALID_ARGUMENTS', 'tasksIds') : (ids ?? uuids ?? reject('REQUIRED_IS_EMPTY', 'tasksIds'))
    if (named.length > maxCancelled) reject('TOO_LONG', ids ? 'tasksIds' : 'tasksUuids')
    const outcomes = named.map(name => {
      const task = tasksOfList.find(row => (typeof name === 'number' ? row.taskId === name : row.taskUuid === name))
      const ids = typeof name === 'number' ? { taskId: name, taskUuid: task?.taskUuid } : { taskId: task?.taskId, taskUuid: name }
      if (!task) return { ...ids, result: false, errorMsg: 'The task is not found.' }
      if (!isOpen(task)) return { ...ids, result: false, errorMsg: 'The task is already processed.' }
      task.statusId = state.canceled
      return { ...ids, result: true, errorMsg: undefined }
    })
    completeIfDone(account, list)
    // The reference documents one task, whose outcome is the response; of several the outcomes come as a list.
    const [first] = outcomes
    if (outcomes.length === 1 && first) return first
    return {
      result: outcomes.map(({ taskId, taskUuid, result, errorMsg }) => ({
        task_id: taskId,
        task_uuid: taskUuid,
        result,
        error_msg: errorMsg
      }))
    }
  },

  CancelCallListBatch(params, account) {
    const list = requireList(account, params)
    const batchIds = params.requiredTexts('batchIds')
    const within = tasksIn(account, list)
    if (batchIds.some(id => !within.some(task => task.batchId === id))) invalid('batchIds')
    for (const task of within) if (batchIds.includes(task.batchId) && isOpen(task)) task.statusId = state.canceled
    completeIfDone(account, list)
    return { result: true }
  }
}

export function seed(account: AccountState): void {
  const outgoing = (applicationId: number) => demoRow(rules.where(account, { applicationId, ruleName: 'outgoing' })[0], 'outgoing rule')
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
      of: 'support',
      status: 'In progress',
      day: '2026-01-15',
      listType: 'AUTOMATIC',
      batch: '6f1d9c1e-0d0b-4c55-9a3e-2b7f0c1d4e5f'
    },
    {
      name: 'Payment reminders',
      of: 'notifications',
      status: 'Completed',
      day: '2026-01-10',
      listType: 'AUTOMATIC',
      batch: '0b7a1f52-6c1d-4d0e-8f0a-5b9d3c2e1f40'
    },
    {
      name: 'Callbacks by hand',
      of: 'sales',
      status: 'Canceled',
      day: '2025-12-01',
      listType: 'MANUAL',
      batch: 'c2b0d5a4-93f7-4e61-b1a8-7e4f6d3c2b15'
    }
  ] as const
  for (const { name, of, status, day, listType, batch } of seeded) {
    const { ruleId, applicationId } = outgoing(demoApplicationId(account, of))
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
