import { randomUUID } from 'node:crypto'
import { toSnake } from '../../voximplant/wire/names.ts'
import { type Params, reject } from '../codec.ts'
import { readCsv } from '../csv.ts'

/** The tasks of call lists, and how they are read from a CSV file. */

export interface TaskRow {
  taskId: number
  listId: number
  batchId: string
  taskUuid: string
  /** The columns of the CSV that are not the upstream's own, as JSON text: the input of the scenario. */
  customData: string
  statusId: number
  attemptsLeft: number
  taskPriority?: number
  /** The daily window in which the task may be called: HH:mm:ss, UTC. */
  startExecutionTime?: string
  finishExecutionTime?: string
  /** Unix seconds. */
  startAt?: number
  lastAttempt?: string
  resultData?: string
}

/** The upstream's general error for a value. */
export const invalid = (field: string): never => reject('INVALID', field, `The '${toSnake(field)}' parameter is invalid.`)

export type NewTask = Pick<TaskRow, 'taskUuid' | 'customData' | 'startExecutionTime' | 'finishExecutionTime' | 'startAt'>

const noCsv = (message: string): never => reject('INVALID_CSV_FILE', 'fileContent', `The CSV file is invalid: ${message}.`)

function characterOf(params: Params, name: string, fallback: string): string {
  const text = params.text(name) ?? fallback
  return text.length === 1 && !/[\r\n]/.test(text) ? text : invalid(name)
}

/** The uploaded file as text. */
function textOf(params: Params): string {
  const file = params.file('fileContent') ?? reject('REQUIRED_IS_EMPTY', 'fileContent')
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
  const quote = characterOf(params, 'quote', '"')
  const format = { delimiter: characterOf(params, 'delimiter', ';'), quote, escape: characterOf(params, 'escape', quote) }
  if (format.delimiter === quote || format.delimiter === format.escape) invalid('delimiter')
  const text = textOf(params)
  try {
    return readCsv(text, format)
  } catch (error) {
    return noCsv(error instanceof Error ? error.message : String(error))
  }
}

/** The columns that the upstream itself reads: their format, and the field that each becomes. */
const ownColumns: Record<string, { field: keyof NewTask; format: RegExp }> = {
  __start_execution_time: { field: 'startExecutionTime', format: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/ },
  __end_execution_time: { field: 'finishExecutionTime', format: /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/ },
  __start_at: { field: 'startAt', format: /^\d{1,11}$/ },
  __task_uuid: { field: 'taskUuid', format: /^[A-Za-z0-9:-]{1,40}$/ }
}

/** The tasks of the call's CSV. Rejects the whole file when one line is wrong. `existing`: the UUIDs that the call list already has. */
export function readTasks(params: Params, existing: Iterable<string>): NewTask[] {
  const [header, ...rows] = rowsOf(params)
  if (!header || rows.length === 0) return noCsv('it has no header and line of data')
  const columns = header.map(name => name.trim())
  if (columns.includes('')) noCsv('a column has no name')
  if (new Set(columns).size < columns.length) noCsv('two columns have the same name')
  const uuids = new Set(existing)
  return rows.map((row, i) => {
    const record = `record ${i + 1}`
    if (row.length !== columns.length) noCsv(`${record} has ${row.length} fields, the header ${columns.length}`)
    const task: NewTask = { taskUuid: randomUUID(), customData: '' }
    const data: [string, string][] = []
    for (const [at, column] of columns.entries()) {
      const cell = row[at] ?? ''
      const own = Object.hasOwn(ownColumns, column) ? ownColumns[column] : undefined
      if (!own) data.push([column, cell])
      else if (cell !== '') {
        if (!own.format.test(cell)) noCsv(`${record} has a ${column} of another format than the upstream expects`)
        Object.assign(task, { [own.field]: own.field === 'startAt' ? Number(cell) : cell })
      }
    }
    if (uuids.has(task.taskUuid)) noCsv(`${record} has a __task_uuid that is not unique in the call list`)
    uuids.add(task.taskUuid)
    return { ...task, customData: JSON.stringify(Object.fromEntries(data)) }
  })
}
