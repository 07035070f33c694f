import Fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Operation } from '../api/operation.ts'
import { accountOfApiKey, accountOfToken, type SandboxAccount } from './auth.ts'
import { codecsOf, reject, SandboxError, type SandboxFile } from './codec.ts'
import { FileResponse } from './file-response.ts'
import { methods, seed } from './methods/index.ts'
import { readMultipart } from './multipart.ts'
import { createState } from './state.ts'

export interface SandboxOptions {
  /** The endpoints, whose declarations define the methods' parameters and responses. */
  operations: readonly Operation[]
  accounts: readonly SandboxAccount[]
  /** Whether a new account starts with demonstration data. */
  demo?: boolean
  /** The file that keeps the state between runs; absent: in memory. */
  stateFile?: string
  /** A certificate and its key (PEM), for https. */
  https?: { cert: string; key: string }
}

/** A call that the sandbox has received, for tests. */
export interface SeenCall {
  accountId: number
  method: string
  /** The parameters as text, by the upstream's names. */
  params: Record<string, string>
}

/** What the sandbox has received. */
export interface SandboxRecord {
  /** Requests received, rejected ones included. */
  requests: number
  /** The latest calls that were authorized, oldest first; at most 1,000. */
  seen: SeenCall[]
  /** Adds an account, or further keys of one. */
  addAccount(account: SandboxAccount): void
}

const maxSeen = 1000
const maxFile = 268_435_456

/** A server that behaves like the Voximplant Management API and keeps state per account. */
export async function buildSandbox({ operations, accounts, demo = false, stateFile, https }: SandboxOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    https: https ?? null,
    bodyLimit: maxFile,
    routerOptions: { ignoreTrailingSlash: true },
    forceCloseConnections: true
  }) as unknown as FastifyInstance
  const codecs = codecsOf(operations)
  const callers = new Map<number, SandboxAccount>()
  const state = createState(stateFile)
  const record: SandboxRecord = {
    requests: 0,
    seen: [],
    addAccount(account) {
      const before = callers.get(account.accountId)
      callers.set(account.accountId, { ...before, ...account, keys: { ...before?.keys, ...account.keys } })
    }
  }
  for (const account of accounts) record.addAccount(account)
  app.decorate('sandbox', record)
  app.addHook('onClose', async () => state.flush())

  const fileNames = new Set(operations.flatMap(({ form }) => form.params.flatMap(({ kind, wire }) => (kind === 'file' ? [wire] : []))))
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_, body, done) =>
    done(null, new URLSearchParams(body as string))
  )
  // A file can also be the body itself, with the parameters in the query.
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  const handler = async (request: FastifyRequest<{ Params: { method?: string } }>, reply: FastifyReply) => {
    record.requests++
    const { texts, files } = await read(request, fileNames)
    const method = request.params.method ?? texts.get('cmd') ?? reject('MISSING_CMD', 'cmd')
    const codec = codecs.get(method)
    const execute = methods.get(method)
    if (!codec || !execute) return reject('UNKNOWN_COMMAND', 'cmd', `The sandbox has no method ${method}.`)
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const caller = token ? accountOfToken(token, callers) : accountOfApiKey(texts, callers)
    if (record.seen.push({ accountId: caller.accountId, method, params: Object.fromEntries(texts) }) > maxSeen) record.seen.shift()
    const account = state.account(caller.accountId, fresh => (caller.demo ?? demo) && seed(fresh, caller))
    const result = execute(codec.read(texts, files), account, { caller, byApiKey: !token }) ?? { result: 1 }
    if (!safeMethods.has(method)) state.changed()
    if (!(result instanceof FileResponse)) return codec.write(result)
    reply.headers(result.headers)
    return result.bytes
  }
  const safeMethods = new Set<string>(operations.filter(operation => operation.traits.safe).map(operation => operation.endpoint.rpc))

  // The PHP client sends a request with a file as PUT.
  for (const url of ['/platform_api', '/platform_api/:method'])
    app.route<{ Params: { method?: string } }>({ method: ['GET', 'POST', 'PUT'], url, handler })

  app.setErrorHandler<FastifyError>((error, _request, reply) => {
    if (error instanceof SandboxError)
      return reply
        .code(200)
        .send({ error: { code: error.code, msg: error.message, ...(error.fieldName ? { field_name: error.fieldName } : {}) } })
    return reply.code(error.statusCode ?? 500).send({ error: { code: 2, msg: error.message } })
  })
  return app
}

/** The texts and files of a request, from the query, a form or multipart. The body takes precedence over the query. */
async function read(
  request: FastifyRequest,
  fileNames: ReadonlySet<string>
): Promise<{ texts: Map<string, string>; files: Map<string, SandboxFile> }> {
  const texts = new Map(new URLSearchParams(request.url.split('?')[1] ?? ''))
  const files = new Map<string, SandboxFile>()
  const contentType = request.headers['content-type'] ?? ''
  if (/^multipart\/form-data\b/i.test(contentType) && Buffer.isBuffer(request.body)) {
    const form = await readMultipart(contentType, request.body, fileNames)
    for (const [name, value] of form.texts) texts.set(name, value)
    for (const [name, file] of form.files) files.set(name, file)
  } else if (request.body instanceof URLSearchParams) {
    for (const [name, value] of request.body) texts.set(name, value)
  } else if (Buffer.isBuffer(request.body)) {
    files.set('file_content', { name: undefined, type: contentType, bytes: request.body })
  }
  return { texts, files }
}

declare module 'fastify' {
  interface FastifyInstance {
    sandbox: SandboxRecord
  }
}
