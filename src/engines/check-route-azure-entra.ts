import { isUnixRoute, mayCarryRecoverablePassword, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { invalidField } from './invalid-field.ts'

/** Ids of Entra are GUIDs; a tenant may also be named by one of its domains. */
const ID = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,126}[A-Za-z0-9])?$/

/** The part of {@link checkCapabilities} for logins with a token of Microsoft Entra. */
export function checkRouteAzureEntra(route: DataSourceRoute, { azureClientSecret }: DataSourceSecrets): void {
  if (isUnixRoute(route)) throw invalidField('host', 'must be a host name: login method azure_entra needs TLS')
  if (!mayCarryRecoverablePassword(route)) {
    throw invalidField(
      'tlsMode',
      'must be verify-full, or verify-ca with tlsCa, with login method azure_entra: a token is only sent over verified TLS',
    )
  }
  const isGiven = azureClientSecret !== undefined
  for (const field of ['azureTenantId', 'azureClientId'] as const) {
    const id = route.fields[field] ?? ''
    if (isGiven && id === '') throw invalidField(field, 'is needed with azureClientSecret')
    if (!isGiven && id !== '') {
      throw invalidField(field, 'has no effect without azureClientSecret: the application is that of this node')
    }
    if (id !== '' && !ID.test(id)) throw invalidField(field, 'must be an id of Microsoft Entra')
  }
  // Whoever enters an authority could take the place of the database, and be shown a token that opens others too.
  if (!isGiven && route.tlsCa !== null) {
    throw invalidField(
      'tlsCa',
      'cannot be given where the Azure identity of this node logs in: other authorities than the public ones stand in tlsFiles.ca',
    )
  }
}
