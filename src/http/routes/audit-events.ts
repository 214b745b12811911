import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { queryAudit } from '../../audit/query-audit.ts'
import { AuditEventList, ListAuditEventsQuery } from '../../contract/audit-events.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentAuditEvent } from '../present/audit-event.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const Position = z.object({ occurredAt: z.iso.datetime().transform((text) => new Date(text)), id: z.uuid() })

export const auditEventRoutes: AddRoutes = (app, deps) => {
  app.get(
    '/v1/auditEvents',
    {
      schema: {
        summary: 'List audit events, newest first',
        querystring: ListAuditEventsQuery,
        response: answers(AuditEventList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'audit.read')
      const { pageSize, pageToken, since, until, ...filter } = request.query
      const found = await queryAudit(
        deps,
        actor.workspaceId,
        { ...filter, since: since ? new Date(since) : undefined, until: until ? new Date(until) : undefined },
        { limit: pageSize + 1, after: decodePageToken(pageToken, Position) },
      )
      const { rows, nextPageToken } = cutPage(found, pageSize, ({ occurredAt, id }) => ({ occurredAt, id }))
      return { auditEvents: rows.map(presentAuditEvent), nextPageToken }
    },
  )
}
