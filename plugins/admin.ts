import type { FastifyInstance } from 'fastify'
import { adminRoutes } from '../routes/admin.ts'
import type { AdminService } from '../src/admin/service.ts'
import adminAuth, { type AdminAuthOptions } from './admin-auth.ts'

export interface AdminOptions extends AdminAuthOptions {
  admin: AdminService
}

/** `/admin`, behind its own tokens: it shares nothing with the callers' keys. */
export default async function admin(app: FastifyInstance, { admin, ...options }: AdminOptions): Promise<void> {
  await app.register(adminAuth, options)
  for (const route of adminRoutes(() => admin, options.base)) app.route(route)
}
