import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../src/config.ts'
import { pageDocument } from '../src/openapi/page-document.ts'
import { type Document, finish } from '../src/openapi/transform.ts'
import { version } from '../src/telemetry/version.ts'
import servedOnce from './served-once.ts'

export interface DocsOptions {
  /** The path the service is mounted under. */
  basePath: string
  environment: Config['server']['environment']
  tags: readonly { name: string; description: string }[]
}

const asset = (name: string) => readFileSync(new URL(`../src/openapi/${name}`, import.meta.url), 'utf8')

/** OpenAPI 3.1 at `/openapi.json` and Swagger UI at `/docs`. */
export default fp(
  async (app: FastifyInstance, { basePath: base, environment, tags }: DocsOptions) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Voxgate',
          version,
          summary: 'REST for the Voximplant Management API',
          description:
            'Resources in place of the RPC methods of the Voximplant Management API. Press **Authorize** and paste an API key (`vg_...`); the key decides which tenant, and so which Voximplant account, a call is made for.\n\n' +
            'An `{xxxId}` in a path is an id, or a name after a tilde (`~support`) where the description says so. Times are RFC 3339 instants. Every failure is an `application/problem+json` whose `type` is a page that says what to do.\n\n' +
            'Responses can hold more members than are described here: what the upstream sends beyond its reference comes through under camelCase names, with its values as they are (times as the upstream writes them, integers beyond 2^53 as text). Words such as statuses can be others than those that are listed. Ignore what you do not know.',
          license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
          contact: { name: 'The operators of this service' }
        },
        servers: [{ url: base || '/', description: 'This service' }],
        tags: [...tags],
        components: {
          securitySchemes: {
            apiKey: {
              type: 'http',
              scheme: 'bearer',
              bearerFormat: 'vg_<id>_<secret>_<check>',
              description: 'An API key of your tenant. The scopes an operation needs are listed with it.'
            },
            adminToken: { type: 'http', scheme: 'bearer', description: 'A token of an administrator, for what is under `/admin`.' }
          }
        }
      },
      refResolver: { buildLocalReference: (json, _base, _fragment, i) => (typeof json.$id === 'string' ? json.$id : `definition-${i}`) },
      stripBasePath: true,
      transformObject: document =>
        finish(('openapiObject' in document ? document.openapiObject : document.swaggerObject) as unknown as Document) as never
    })
    await app.register(async pages => {
      await pages.register(servedOnce)
      await pages.register(swaggerUi, {
        routePrefix: `${base}/docs`,
        uiConfig: {
          // The browser keeps keys and tokens only where they protect nothing.
          persistAuthorization: environment !== 'production',
          // Without the bar on top that loads other documents.
          layout: 'BaseLayout',
          deepLinking: true,
          docExpansion: 'none',
          displayRequestDuration: true,
          filter: true,
          tryItOutEnabled: true,
          defaultModelsExpandDepth: 0,
          // Runs in the browser, as it is written here: what `page.js` defines.
          plugins: [() => Reflect.get(globalThis, 'voxgatePage')]
        },
        theme: {
          title: 'Voxgate',
          js: [{ filename: 'page.js', content: asset('page.js') }],
          css: [{ filename: 'page.css', content: asset('page.css') }]
        },
        transformSpecification: document => pageDocument(document as unknown as Document) as never,
        transformSpecificationClone: false
      })
      pages.get(`${base}/openapi.json`, { schema: { hide: true } }, () => app.swagger())
    })
  },
  { name: 'docs' }
)
