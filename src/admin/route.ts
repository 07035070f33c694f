import type {} from '@fastify/swagger'
import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox'
import type { FastifyReply, FastifyRequest, FastifySchema, RouteOptions } from 'fastify'
import type { FastifyRouteSchemaDef } from 'fastify/types/schema.d.ts'
import { maybe, strict, text } from '../../schemas/common.ts'
import { triedInUrl } from '../api/example.ts'
import { headersOf } from '../api/operation-schema.ts'
import { validatorCompiler } from '../api/validation.ts'
import { documentedProblems } from '../problems/documented.ts'
import type { ProblemType } from '../problems/problem.ts'
import type { AdminService } from './service.ts'

type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

type PathParams<Http extends string> = Http extends `${string}:${infer Name}/${infer Rest}`
  ? { [K in Name]: string } & PathParams<Rest>
  : Http extends `${string}:${infer Name}`
    ? { [K in Name]: string }
    : unknown

/** Declaration of a route of the admin API: the single source for validation and the document. */
export interface AdminRoute<
  Http extends `${Verb} /admin/${string}` = `${Verb} /admin/${string}`,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Headers extends TSchema = TSchema
> {
  http: Http
  id: string
  summary: string
  description: string
  query?: Query
  body?: Body
  headers?: Headers
  /** Responses other than problems, by status. */
  responses: object
  /** Problems beyond those of every route. */
  problems?: readonly ProblemType[]
  /** Path parameters of the example call that differ from the usual ones. */
  example?: Readonly<Record<string, string>>
  /** The handler checks the body itself, to report more exactly what is wrong with it. */
  checksBody?: true
  /** Returns the body of the response. @param base the path the service is mounted under */
  handler(
    admin: AdminService,
    request: FastifyRequest<{ Params: PathParams<Http>; Querystring: Static<Query>; Body: Static<Body>; Headers: Static<Headers> }>,
    reply: FastifyReply,
    base: string
  ): unknown
}

/** Types the handler of a route by its declaration. */
export const adminRoute = <
  const Http extends `${Verb} /admin/${string}`,
  Query extends TSchema = TObject,
  Body extends TSchema = TObject,
  Headers extends TSchema = TObject
>(
  route: AdminRoute<Http, Query, Body, Headers>
): AdminRoute => route

/** A response with a JSON body. @param headers descriptions by name */
export const json = (schema: TSchema, description: string, headers?: Record<string, string>) => ({
  description,
  content: { 'application/json': { schema } },
  ...(headers ? { headers: headersOf(headers) } : {})
})

/** A response without a body. */
export const noContent = (description: string) => ({ type: 'null', description })

/** A response with a list. @param cursor the query parameter that takes the `next` of a page */
export const list = (item: TSchema, description: string, cursor?: string) =>
  json(
    Type.Object({
      items: Type.Array(item, { description: 'The items of this page.' }),
      ...(cursor
        ? { next: maybe(text(`Where the next page begins: send it as \`${cursor}\`. Left out on the last page.`, { examples: ['acme'] })) }
        : {})
    }),
    description
  )

const everyRoute: readonly ProblemType[] = [
  'invalid-request',
  'admin-token-required',
  'rate-limited',
  'internal-error',
  'service-unavailable'
]
const routesWithBody: readonly ProblemType[] = ['payload-too-large', 'unsupported-media-type', 'request-timeout']

/** The schema of a route. @param tag its section @param pathParams the schemas of path parameters, by name */
function schemaOf(route: AdminRoute, tag: string, pathParams: Readonly<Record<string, TSchema>>): FastifySchema {
  const { http, id, summary, description, query, body, headers, responses, problems = [], example = {} } = route
  const inPath = Object.fromEntries(Object.entries(pathParams).filter(([name]) => http.split(/[ /]/).includes(`:${name}`)))
  const names = Object.keys(inPath)
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    security: [{ adminToken: [] }],
    params: strict(triedInUrl(inPath, { fields: names, values: example })),
    querystring: query ?? strict({}),
    ...(body ? { body } : {}),
    ...(headers ? { headers } : {}),
    response: {
      ...responses,
      ...documentedProblems([
        ...everyRoute,
        ...problems,
        ...(names.length > 0 ? ['not-found' as const] : []),
        ...(body ? routesWithBody : [])
      ])
    }
  }
}

export interface AdminRouteOptions {
  /** The section of the document. */
  tag: string
  pathParams: Readonly<Record<string, TSchema>>
  /** The path the service is mounted under. */
  base: string
}

/** Fastify's options of a route. @param admin answers its requests; nothing calls it where routes are only documented */
export function toAdminRoute(route: AdminRoute, admin: () => AdminService, { tag, pathParams, base }: AdminRouteOptions): RouteOptions {
  const [method = '', url = ''] = route.http.split(' ')
  return {
    method,
    url,
    schema: schemaOf(route, tag, pathParams),
    handler: async (request, reply) => route.handler(admin(), request, reply, base),
    ...(route.checksBody
      ? { validatorCompiler: part => (part.httpPart === 'body' ? () => true : validatorCompiler(part as FastifyRouteSchemaDef<TSchema>)) }
      : {})
  }
}
