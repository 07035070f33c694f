import type { TSchema } from '@sinclair/typebox'
import * as account from './account.ts'
import * as application from './application.ts'
import * as problem from './problem.ts'
import * as queue from './queue.ts'
import * as skill from './skill.ts'
import * as user from './user.ts'

const files: Record<string, unknown>[] = [account, application, problem, queue, skill, user]

/** Every noun with a name (`$id`): the document's components. */
export const nouns: TSchema[] = files.flatMap(file =>
  Object.values(file).filter((noun): noun is TSchema => typeof noun === 'object' && noun !== null && '$id' in noun)
)
