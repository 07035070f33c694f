import multipart from '@fastify/multipart'
import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Operation } from '../src/api/operation.ts'
import { maxFieldBytes, maxFields, maxRowsBytes } from '../src/api/upload-readers.ts'

export interface UploadsOptions {
  /** The operations that take a file, and their routes. */
  operations: readonly Operation[]
  toRoute: (operation: Operation) => RouteOptions
  /** Maximum size of a file, in bytes. */
  maxBytes: number
}

/** The routes of operations that take a file, in a scope of their own, so that all other routes reject their content types. */
export default async function uploads(app: FastifyInstance, { operations, toRoute, maxBytes }: UploadsOptions): Promise<void> {
  const plans = operations.flatMap(({ upload }) => upload ?? [])
  const fileFields = new Set(plans.map(({ field }) => field))
  await app.register(multipart, {
    throwFileSizeLimit: false,
    // The clients of some languages send a file without a file name.
    isPartAFile: (name, type, fileName) => fileName !== undefined || type === 'application/octet-stream' || fileFields.has(name ?? ''),
    limits: {
      fileSize: maxBytes,
      fieldNameSize: 255,
      fieldSize: maxFieldBytes,
      fields: maxFields,
      files: 2,
      parts: maxFields + 2,
      headerPairs: 20
    }
  })
  for (const type of new Set(plans.map(({ declared }) => declared.type)))
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
  for (const operation of operations) app.route({ ...toRoute(operation), bodyLimit: maxRowsBytes })
}
