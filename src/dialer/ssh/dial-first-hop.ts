import { PosternError } from '../../base/errors.ts'
import { toDuplex } from '../../transport/duplex.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../data-source-route.ts'
import { dialPlain } from '../dial-plain.ts'
import type { DialerDependencies } from '../dial-options.ts'
import { noCloudLogins } from '../cloud-logins.ts'
import { noSecretReferences } from '../secret-references.ts'
import { noTunnels } from '../ssh-tunnels.ts'
import type { TunnelOptions } from './open-tunnel.ts'

/**
 * Opens the TCP connection to a first SSH server as to a database: the name is resolved and the address rules are asked at that
 * moment.
 */
export function dialFirstHopBy(
  deps: Pick<DialerDependencies, 'transport' | 'addressRules'>,
): TunnelOptions['dialFirstHop'] {
  return async (hop, who, timeoutMs, onStage) => {
    if (hop.host.startsWith('/')) throw new PosternError('INVALID_ARGUMENT', `${who} has a path for its host`)
    const route: DataSourceRoute = {
      ...PLAIN_ROUTE,
      engine: 'postgres',
      host: hop.host,
      port: hop.port,
      database: '',
      username: '',
      loginMethod: 'password',
      tlsMode: 'disable',
    }
    const options = {
      ...deps,
      tunnels: noTunnels,
      secretReferences: noSecretReferences,
      cloudLogins: noCloudLogins,
      tlsFileFolders: [],
      secrets: {},
      timeoutMs,
    }
    try {
      const socket = await dialPlain(route, {
        ...options,
        onStage: (stage) => (stage === 'name' || stage === 'tcp') && onStage(stage),
      })
      return toDuplex(socket)
    } catch (thrown) {
      throw inWordsOfSsh(thrown, who)
    }
  }
}

/** The dialer speaks of the database. */
function inWordsOfSsh(thrown: unknown, who: string): unknown {
  if (!(thrown instanceof PosternError)) return thrown
  const { code, detail, cause } = thrown
  if (code === 'UPSTREAM_NAME_UNKNOWN') {
    return new PosternError(code, `the host name of ${who} does not resolve`, { detail, cause })
  }
  if (code === 'UPSTREAM_PORT_CLOSED') {
    return unreachable(
      `nothing listens at the address and port of ${who}`,
      'Check the port: SSH servers mostly listen on 22.',
    )
  }
  if (code === 'UPSTREAM_TIMED_OUT') {
    return unreachable(
      `${who} did not answer in time: packets are probably dropped`,
      'Admit the addresses of Postern in the firewall of the SSH server.',
    )
  }
  if (code === 'UPSTREAM_UNREACHABLE') {
    return unreachable(`${who} could not be reached`, 'Check the network between Postern and the SSH server.')
  }
  return thrown

  function unreachable(message: string, hint: string): PosternError {
    return new PosternError('UPSTREAM_SSH_UNREACHABLE', message, { hint, detail, cause })
  }
}
