import { createHash } from 'node:crypto'
import { canonicalJson } from '../base/canonical-json.ts'
import type { DataSourceRoute, SshHop } from './data-source-route.ts'

/**
 * Names the destination of a data source's secrets. It is part of the associated data of every sealed secret, so a data
 * source that was pointed elsewhere, or whose TLS was weakened, cannot open them (design section 5, invariant 2).
 * The database is no part of it: any database of a server is reached by the same login.
 *
 * Canonical and injective: one JSON array in a fixed order, the keys of records sorted. A host name is compared without case and
 * without the final dot that DNS ignores; a folder is compared as it is. A route that uses nothing of the second form has the
 * first one, so that what was sealed before the second existed still opens.
 *
 * @returns `v1:` or `v2:` and a SHA-256 in hex
 */
export function destinationFingerprint(route: DataSourceRoute): string {
  const parts: unknown[] = [
    route.engine,
    canonicalHost(route.host),
    String(route.port),
    route.username,
    route.loginMethod,
    route.tlsMode,
    route.tlsCa === null ? 'public' : `pem ${route.tlsCa}`,
  ]
  const more = [
    route.tlsClientCertificate,
    sortedEntries(route.tlsFiles),
    route.ssh.map(hopParts),
    sortedEntries(route.fields),
    sortedEntries(route.extraParameters),
    ...(Object.keys(route.secretReferences).length === 0 ? [] : [canonicalJson(route.secretReferences)]),
  ]
  const isFirstForm = more.every((part) => part === null || part.length === 0)
  const text = JSON.stringify(isFirstForm ? parts : [...parts, ...more])
  return `${isFirstForm ? 'v1' : 'v2'}:${createHash('sha256').update(text).digest('hex')}`
}

function canonicalHost(host: string): string {
  return host.startsWith('/') ? host : host.toLowerCase().replace(/\.$/, '')
}

function hopParts(hop: SshHop): readonly unknown[] {
  return [canonicalHost(hop.host), hop.port, hop.username, hop.auth, hop.hostKey]
}

function sortedEntries(record: Readonly<Record<string, string | undefined>>): [string, string][] {
  const entries = Object.entries(record).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
}
