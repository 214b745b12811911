import type { EngineCapabilities } from '../contract/engines.ts'
import type { DataSourceRoute, SshHop } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../dialer/data-source-secrets.ts'
import { invalidField, isHostName } from './invalid-field.ts'

/** Each hop costs a handshake; nobody has more bastions in a row. */
const MAX_HOPS = 5
const HOST_KEY = /^SHA256:[A-Za-z0-9+/]{43}$/

/** The SSH part of {@link checkCapabilities}. Private keys are read when they are used. */
export function checkRouteSsh(
  route: DataSourceRoute,
  secrets: DataSourceSecrets,
  capabilities: EngineCapabilities,
): void {
  const { ssh } = route
  if (ssh.length > 0 && !capabilities.ssh) {
    throw invalidField(
      'ssh',
      `is not possible with ${capabilities.title}, which is reached by HTTPS alone: leave it out`,
    )
  }
  if (ssh.length > MAX_HOPS) throw invalidField('ssh', `must be at most ${MAX_HOPS} servers`)
  for (const [index, hop] of ssh.entries()) checkHop(hop, index)
  const expected = new Set<string>(ssh.flatMap(secretFields))
  for (const field of Object.keys(secrets)) {
    if (field.startsWith('ssh.') && !expected.has(field)) {
      throw invalidField(field, 'belongs to no SSH server that logs in that way: leave it out')
    }
  }
  for (const [index, hop] of ssh.entries()) {
    const needed = secretFields(hop, index)[0]
    if (needed !== undefined && secrets[needed] === undefined) throw invalidField(needed, 'is needed to log in there')
  }
}

function checkHop(hop: SshHop, index: number): void {
  const field = (name: string) => `ssh.${index}.${name}`
  if (!isHostName(hop.host)) throw invalidField(field('host'), 'must be a host name or an IP address')
  if (!Number.isInteger(hop.port) || hop.port < 1 || hop.port > 65_535) {
    throw invalidField(field('port'), 'must be a whole number from 1 to 65535')
  }
  if (!/^[^\p{Cc}]{1,255}$/u.test(hop.username)) {
    throw invalidField(field('username'), 'must be 1 to 255 characters without control characters')
  }
  if (hop.hostKey !== null && !HOST_KEY.test(hop.hostKey)) {
    throw invalidField(field('hostKey'), 'must be a fingerprint as ssh-keygen -l prints it: SHA256: and 43 characters')
  }
}

/** Secrets that a hop takes, the first one being what it cannot do without. */
function secretFields(hop: SshHop, index: number): readonly SecretField[] {
  if (hop.auth === 'password') return [`ssh.${index}.password`]
  return [`ssh.${index}.privateKey`, `ssh.${index}.passphrase`]
}
