import type { z } from 'zod'
import type { DataSource, Instance } from '../../contract/instances.ts'
import type { InstanceView } from '../../instances/read-instances.ts'

/** The only way out for an instance: no secret has a place in this shape. */
export function presentInstance(instance: InstanceView, gatewayPort: number): Instance {
  const { name, kind, engine, state, stateReason, serverVersion, defaultDatabase, nativeLoginEnabled } = instance
  return {
    uid: instance.id,
    name,
    kind,
    engine,
    state,
    stateReason,
    serverVersion,
    defaultDatabase,
    nativeLoginEnabled,
    gatewayHost: `${name}.${instance.gatewayDomain}`,
    gatewayPort,
    creator: instance.creatorName,
    createdAt: instance.createdAt.toISOString(),
    updatedAt: instance.updatedAt.toISOString(),
    etag: instance.version,
    dataSources: instance.dataSources.map(presentDataSource),
  }
}

function presentDataSource(source: InstanceView['dataSources'][number]): z.output<typeof DataSource> {
  const { id, type, host, port, database, username, sealedSecrets, tlsMode, tlsCa } = source
  return { id, type, host, port, database, username, passwordSet: sealedSecrets.password !== undefined, tlsMode, tlsCa }
}
