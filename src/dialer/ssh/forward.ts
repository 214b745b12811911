import type { Duplex } from 'node:stream'
import type ssh2 from 'ssh2'
import { PosternError } from '../../base/errors.ts'

/** Reason codes of a refused channel (RFC 4254 section 5.1). */
const ADMINISTRATIVELY_PROHIBITED = 1
const CONNECT_FAILED = 2
const RESOURCE_SHORTAGE = 4

/**
 * The protocol has no code for a name that does not resolve: OpenSSH answers "connect failed" and the words of its C library for
 * EAI_NONAME and EAI_AGAIN (glibc, musl, BSD and macOS).
 */
const NAME_UNKNOWN = new Set([
  'Name or service not known',
  'No address associated with hostname',
  'Name does not resolve',
  'nodename nor servname provided, or not known',
  'hostname nor servname provided, or not known',
  'Temporary failure in name resolution',
  'Try again',
])

interface ForwardTarget {
  readonly host: string
  readonly port: number
  /** As sentences name it: "the database", or the next SSH server. */
  readonly what: string
}

/**
 * Asks an SSH server to open a TCP connection for us (`direct-tcpip`).
 * @param who the SSH server, as sentences name it
 * @throws PosternError UPSTREAM_SSH_FORWARD_REFUSED | UPSTREAM_PORT_CLOSED | UPSTREAM_NAME_UNKNOWN | UPSTREAM_TIMED_OUT |
 *   UPSTREAM_SSH_CLOSED
 */
export function forward(client: ssh2.Client, target: ForwardTarget, timeoutMs: number, who: string): Promise<Duplex> {
  const { host, port, what } = target
  return new Promise((resolve, reject) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      reject(
        new PosternError('UPSTREAM_TIMED_OUT', `${who} did not reach ${what} in time`, {
          hint: 'Check the network behind the SSH server: packets are probably dropped there.',
        }),
      )
    }, timeoutMs)
    try {
      client.forwardOut('127.0.0.1', 0, host, port, (error, channel) => {
        clearTimeout(timer)
        if (error) reject(refusal(error, who, what))
        else if (isLate) channel.resume().destroy()
        else resolve(channel)
      })
    } catch (thrown) {
      clearTimeout(timer)
      reject(refusal(thrown, who, what))
    }
  })
}

function refusal(cause: unknown, who: string, what: string): PosternError {
  // The types lack both; the library puts the server's words behind a prefix of its own.
  const { reason, message } = cause as { reason?: unknown; message?: unknown }
  const says = String(message)
    .replace(/^\(SSH\) Channel open failure: /, '')
    .slice(0, 200)
  const options = { cause, detail: { reason, says } }
  switch (reason) {
    case ADMINISTRATIVELY_PROHIBITED:
      return new PosternError('UPSTREAM_SSH_FORWARD_REFUSED', `${who} may not open the way to ${what}`, {
        ...options,
        hint: 'Allow it in sshd_config (AllowTcpForwarding, PermitOpen) and in authorized_keys (permitopen, restrict).',
      })
    case CONNECT_FAILED:
      if (NAME_UNKNOWN.has(says)) {
        return new PosternError('UPSTREAM_NAME_UNKNOWN', `${who} cannot resolve the host name of ${what}`, {
          ...options,
          hint: 'The name is resolved on the SSH server: give one that is known there, or an address.',
        })
      }
      return new PosternError('UPSTREAM_PORT_CLOSED', `${who} could not connect to the host and port of ${what}`, {
        ...options,
        hint: 'Check host and port as seen from the SSH server, which dials them, and that it is admitted there.',
      })
    case RESOURCE_SHORTAGE:
      return new PosternError('UPSTREAM_SSH_FORWARD_REFUSED', `${who} has no room for another connection`, options)
    case undefined:
      return new PosternError('UPSTREAM_SSH_CLOSED', `${who} is gone`, options)
    default:
      return new PosternError('UPSTREAM_SSH_FORWARD_REFUSED', `${who} does not forward connections`, options)
  }
}
