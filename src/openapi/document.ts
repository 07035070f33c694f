import Fastify from 'fastify'
import docs from '../../plugins/docs.ts'
import { adminRoutes, adminTag } from '../../routes/admin.ts'
import { catalogue, tags } from '../../routes/index.ts'
import { adminNouns, nouns } from '../../schemas/index.ts'
import { compileAll } from '../api/operation.ts'

/** The OpenAPI document as committed: of everything there is, without a store or an upstream. */
export async function documentText(): Promise<string> {
  const app = Fastify()
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => JSON.stringify)
  for (const noun of new Set([...nouns, ...adminNouns])) app.addSchema(noun)
  await app.register(docs, { basePath: '', environment: 'production', tags: [...tags, adminTag] })
  for (const { method, url, schema } of compileAll(Object.values(catalogue))) app.route({ method, url, schema, handler: () => {} })
  const unused = () => {
    throw new Error('this app only describes the admin API')
  }
  for (const route of adminRoutes(unused)) app.route(route)
  await app.ready()
  return `${JSON.stringify(app.swagger(), null, 2)}\n`
}
