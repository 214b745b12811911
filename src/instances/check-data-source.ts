import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import { readTlsSettings } from '../dialer/tls-settings.ts'
import { checkCapabilities } from '../engines/check-capabilities.ts'
import { loadEngine } from '../engines/registry.ts'
import { checkExternalHost } from './external-host.ts'

/**
 * Checks what was entered for a data source without reaching anything: against the engine's row, by the engine itself, and that
 * its TLS material can be read and fits together.
 *
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export async function checkDataSource(
  deps: { readonly dialer: DialerDependencies },
  route: DataSourceRoute,
  secrets: DataSourceSecrets,
): Promise<void> {
  checkExternalHost(route.host, 'host')
  for (const [index, hop] of route.ssh.entries()) checkExternalHost(hop.host, `ssh.${index}.host`)
  checkCapabilities(route, secrets)
  const engine = await loadEngine(route.engine)
  engine.checkRoute(route)
  if (route.tlsMode !== 'disable') {
    await readTlsSettings(...withoutForeignKey(route, secrets, deps.dialer))
  }
}

/** A key that lives elsewhere cannot be compared with its certificate yet; whatever else there is can be. */
function withoutForeignKey(
  route: DataSourceRoute,
  { tlsClientKey, ...secrets }: DataSourceSecrets,
  { tlsFileFolders }: DialerDependencies,
): Parameters<typeof readTlsSettings> {
  if (route.secretReferences.tlsClientKey === undefined) {
    return [route, { secrets: { ...secrets, ...(tlsClientKey && { tlsClientKey }) }, tlsFileFolders }]
  }
  const { certificate: _, ...tlsFiles } = route.tlsFiles
  return [
    { ...route, tlsClientCertificate: null, tlsFiles },
    { secrets, tlsFileFolders },
  ]
}
