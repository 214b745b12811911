import { ENGINE_CAPABILITIES } from '../../contract/engines.ts'
import type { ChangedInstance } from '../../contract/instances.ts'
import type { ChangedInstanceView } from '../../instances/read-instances.ts'
import { presentDataSource } from './data-source.ts'

/** The only way out for an instance: no secret has a place in this shape. */
export function presentInstance(instance: ChangedInstanceView, gatewayPort: number, now: Date): ChangedInstance {
  const { name, title, kind, engine, state, stateReason, serverVersion, defaultDatabase, nativeLoginEnabled } = instance
  const { environment, labels, externalLink, manageMode, syncIntervalSeconds, syncDatabases } = instance
  return {
    uid: instance.id,
    name,
    title,
    kind,
    engine,
    state,
    stateReason,
    environment,
    labels,
    externalLink,
    manageMode,
    syncIntervalSeconds,
    syncDatabases: syncDatabases && [...syncDatabases],
    serverVersion,
    defaultDatabase,
    nativeLoginEnabled,
    nativeLoginRoles: [...instance.nativeLoginRoles],
    accessTokenLoginEnabled: instance.accessTokenLoginEnabled,
    endSessionsOnRevocation: instance.endSessionsOnRevocation,
    gatewayHost: ENGINE_CAPABILITIES[engine].gateway ? `${name}.${instance.gatewayDomain}` : null,
    gatewayPort,
    creator: instance.creatorName,
    createdAt: instance.createdAt.toISOString(),
    updatedAt: instance.updatedAt.toISOString(),
    deletedAt: instance.deletedAt?.toISOString() ?? null,
    etag: instance.version,
    dataSources: instance.dataSources.map((source) => presentDataSource(source, now)),
    ...(instance.connectionTest && { connectionTest: instance.connectionTest }),
  }
}
