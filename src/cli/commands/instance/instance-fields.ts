import type { DataSource, Instance } from '../../../contract/instances.ts'
import type { z } from 'zod'
import { shownTime } from '../../output.ts'

/** What a person sees of one instance. */
export function instanceFields(instance: Instance): (readonly [string, string | null])[] {
  return [
    ['Name', instance.name],
    [
      'Kind',
      `${instance.kind}, ${instance.engine}${instance.serverVersion === null ? '' : ` ${instance.serverVersion}`}`,
    ],
    ['State', instance.stateReason === null ? instance.state : `${instance.state}: ${instance.stateReason}`],
    ['Gateway', `${instance.gatewayHost}:${instance.gatewayPort}`],
    ['Default database', instance.defaultDatabase],
    ['Native role login', instance.nativeLoginEnabled ? 'on' : 'off'],
    ...instance.dataSources.map((source) => [`Data source (${source.type})`, dataSourceText(source)] as const),
    ['Creator', instance.creator],
    ['Created', shownTime(instance.createdAt)],
    ['Updated', shownTime(instance.updatedAt)],
    ['Uid', instance.uid],
    ['Etag', instance.etag],
  ]
}

function dataSourceText(source: z.infer<typeof DataSource>): string {
  const password = source.passwordSet ? 'password set' : 'no password'
  return `${source.username}@${source.host}:${source.port}/${source.database}, TLS ${source.tlsMode}, ${password}`
}
