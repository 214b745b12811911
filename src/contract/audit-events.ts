import { z } from 'zod'
import { nextPageToken, PageQuery } from './paging.ts'

export const ListAuditEventsQuery = PageQuery.extend({
  action: z.string().max(64).optional().describe('Exact action, for example login or credential.issue.'),
  outcome: z.enum(['allowed', 'denied', 'failed']).optional(),
  actor: z.string().max(255).optional().describe('Name or id of the actor.'),
  target: z.string().max(255).optional().describe('Name or id of the target.'),
  sessionId: z.uuid().optional(),
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
})

export const AuditEvent = z.object({
  id: z.uuid(),
  occurredAt: z.iso.datetime(),
  action: z.string(),
  outcome: z.enum(['allowed', 'denied', 'failed']),
  reason: z.string().nullable(),
  actor: z.object({ id: z.string().nullable(), name: z.string().nullable() }),
  target: z.object({ type: z.string().nullable(), id: z.string().nullable(), name: z.string().nullable() }),
  sessionId: z.string().nullable(),
  requestId: z.string().nullable(),
  peer: z.string().nullable(),
  detail: z.record(z.string(), z.unknown()),
})
export type AuditEvent = z.infer<typeof AuditEvent>
export const AuditEventList = z.object({ auditEvents: z.array(AuditEvent), nextPageToken })
