import type { Endpoint } from '../src/endpoint.ts'
import account from './account.ts'
import applications from './applications.ts'
import queues from './queues.ts'
import skills from './skills.ts'
import users from './users.ts'

/** The catalogue: every section of the service, in the order of the document. */
export const sections: readonly Record<string, Endpoint>[] = [account, applications, users, queues, skills]

/** What each tag of the document is about. */
export const tags = [
  { name: 'Account', description: "The tenant's Voximplant account." },
  { name: 'Applications', description: 'Applications: the rooms that users, rules and secrets belong to.' },
  { name: 'Users', description: 'Users who log in to an application.' },
  { name: 'Queues', description: 'Queues of incoming calls and their operators (ACD version 1).' },
  { name: 'Skills', description: 'Skills that operators have and queues ask for (ACD version 1).' }
]
