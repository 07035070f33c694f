/** What the sandbox's demonstration account holds from the beginning, and the document's examples name: one of each, and the id of another. */
export const seeded = {
  user: { id: 1001, name: 'ada' },
  secret: { id: 401, name: 'CRM_TOKEN' },
  queue: { id: 201, name: 'first-line' },
  skill: { id: 301, name: 'billing' },
  smartQueue: { id: 401, name: 'billing' },
  smartQueueSkill: { id: 501, name: 'billing' },
  adminUser: { id: 22, name: 'ada' },
  adminRole: { id: 10, name: 'read_only' },
  historyReport: { id: 601 },
  phoneNumberReport: { id: 701 },
  /** The tenant of the embedded default. */
  tenant: { id: 'demo' }
} as const
