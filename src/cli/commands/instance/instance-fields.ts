import type { Instance } from '../../../contract/instances.ts'
import { dataSourceLine } from '../../data-source/data-source-fields.ts'
import { shownTime } from '../../output.ts'

/** What a person sees of one instance. */
export function instanceFields(instance: Instance): (readonly [string, string | null])[] {
  const { labels, syncIntervalSeconds, syncDatabases, gatewayHost } = instance
  return [
    ['Name', instance.name],
    ...(instance.title === '' ? [] : [['Title', instance.title] as const]),
    [
      'Kind',
      `${instance.kind}, ${instance.engine}${instance.serverVersion === null ? '' : ` ${instance.serverVersion}`}`,
    ],
    ['State', instance.stateReason === null ? instance.state : `${instance.state}: ${instance.stateReason}`],
    ...(instance.environment === null ? [] : [['Environment', instance.environment] as const]),
    ...Object.entries(labels).map(([key, value]) => [`Label ${key}`, value] as const),
    ...(instance.externalLink === null ? [] : [['External link', instance.externalLink] as const]),
    ...(instance.manageMode === null ? [] : [['Manage mode', `based on ${instance.manageMode}`] as const]),
    ...(syncIntervalSeconds === null ? [] : [['Catalogue read', `every ${syncIntervalSeconds} s`] as const]),
    ...(syncDatabases === null ? [] : [['Catalogue of', syncDatabases.join(', ')] as const]),
    ['Gateway', gatewayHost === null ? 'no logins: not a Postgres' : `${gatewayHost}:${instance.gatewayPort}`],
    ['Default database', instance.defaultDatabase === '' ? null : instance.defaultDatabase],
    ...(gatewayHost === null ? [] : loginFields(instance)),
    ...instance.dataSources.map((source) => [`Data source ${source.name}`, dataSourceLine(source)] as const),
    ['Creator', instance.creator],
    ['Created', shownTime(instance.createdAt)],
    ['Updated', shownTime(instance.updatedAt)],
    ...(instance.deletedAt === null ? [] : [['Deleted', shownTime(instance.deletedAt)] as const]),
    ['Uid', instance.uid],
    ['Etag', instance.etag],
  ]
}

function loginFields(instance: Instance): (readonly [string, string])[] {
  const { nativeLoginEnabled, nativeLoginRoles, accessTokenLoginEnabled, endSessionsOnRevocation } = instance
  const named = nativeLoginRoles.length === 0 ? '' : `, also ${nativeLoginRoles.join(', ')}`
  return [
    ['Native role login', nativeLoginEnabled ? `on${named}` : 'off'],
    ...(accessTokenLoginEnabled ? [['Access tokens', 'taken as passwords'] as const] : []),
    ...(endSessionsOnRevocation ? [['On revocation', 'open sessions end'] as const] : []),
  ]
}
