import type { AuditEntry } from '../audit/audit-record.ts'
import type { Actor } from '../identity/actor.ts'
import { actorAudit } from '../identity/actor-audit.ts'
import type { DataSourceRow } from '../store/data-sources.ts'
import type { InstanceRow } from '../store/instances.ts'
import type { DataSourceDraft } from './draft-data-source.ts'

type InstanceAction =
  | 'instance.create'
  | 'instance.update'
  | 'instance.delete'
  | 'instance.undelete'
  | 'instance.purge'
  | 'instance.start'
  | 'instance.stop'
  | 'instance.test'

/** The audit entry for something done to an instance. */
export function instanceAudit(
  actor: Actor,
  action: InstanceAction,
  instance: Pick<InstanceRow, 'id' | 'name'>,
  detail: AuditEntry['detail'] = {},
): AuditEntry {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'instance',
    targetId: instance.id,
    targetName: instance.name,
    detail,
  }
}

/** The audit entry for a data source that was made or changed: where it leads, and of its secrets only which ones came anew. */
export function draftAudit(
  actor: Actor,
  instance: Pick<InstanceRow, 'name'>,
  { source, route, entered, before, hasMoved }: DataSourceDraft,
): AuditEntry {
  return {
    ...dataSourceAudit(actor, before === undefined ? 'dataSource.create' : 'dataSource.update', instance, source),
    detail: {
      ...wayOf(source, route),
      secretsEntered: entered,
      externalSecrets: Object.entries(route.secretReferences).map(
        ([field, reference]) => `${field}=${String(reference?.['source'])}`,
      ),
      moved: hasMoved,
      tested: source.tested,
    },
  }
}

/** The audit entry for a test of what may be stored later: what is dialled, and whether secrets that are stored go along. */
export function draftTestAudit(actor: Actor, { source, route, secrets, entered, before }: DataSourceDraft): AuditEntry {
  const stored = Object.keys(secrets).length > entered.length
  return {
    ...actorAudit(actor),
    action: 'instance.test',
    outcome: 'allowed',
    targetType: 'data_source',
    targetId: before?.id ?? null,
    targetName: source.name,
    detail: { engine: source.engine, ...wayOf(source, route), secretsEntered: entered, withStoredSecrets: stored },
  }
}

function wayOf({ type }: DataSourceDraft['source'], route: DataSourceDraft['route']) {
  return {
    type,
    host: route.host,
    port: route.port,
    database: route.database,
    username: route.username,
    loginMethod: route.loginMethod,
    tlsMode: route.tlsMode,
    ssh: route.ssh.map((hop) => `${hop.username}@${hop.host}:${hop.port}`),
    fields: Object.entries(route.fields).map(([field, value]) => `${field}=${value}`),
    extraParameters: Object.entries(route.extraParameters).map(([name, value]) => `${name}=${value}`),
  }
}

/** The audit entry for something done to a data source. */
export function dataSourceAudit(
  actor: Actor,
  action: 'dataSource.create' | 'dataSource.update' | 'dataSource.delete',
  instance: Pick<InstanceRow, 'name'>,
  source: Pick<DataSourceRow, 'id' | 'name' | 'type'>,
): AuditEntry {
  return {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'data_source',
    targetId: source.id,
    targetName: `${instance.name}/${source.name}`,
    detail: { type: source.type },
  }
}
