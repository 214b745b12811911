import { PosternError } from '../../base/errors.ts'
import { CIPHERS, HOST_KEYS, KEY_EXCHANGES, MACS } from './algorithms.ts'
import type { ServerOffer } from './server-offer.ts'

/** Names that stand in the list and are no algorithms: extensions (RFC 8308, strict key exchange). */
const NO_ALGORITHM = /^(ext-info-[cs]|kex-strict-[cs]-v00@openssh\.com)$/
const NAMES_SHOWN = 12

/**
 * Why the SSH handshake failed, and what to enable on the server.
 * @param who the SSH server, as sentences name it
 */
export function explainHandshake(who: string, offer: ServerOffer, cause: unknown): PosternError {
  if (!offer.hasSpoken) {
    return new PosternError('UPSTREAM_SSH_UNREACHABLE', `${who} closed the connection before it said anything`, {
      cause,
      hint: 'It may have too many logins at once (MaxStartups), or admit other addresses only.',
    })
  }
  if (offer.identification === undefined) {
    return new PosternError('UPSTREAM_SSH_PROTOCOL', `what answers at the address of ${who} does not speak SSH`, {
      cause,
      hint: 'Check the port: SSH servers mostly listen on 22.',
    })
  }
  const detail = { identification: offer.identification, ...offer.algorithms }
  const mismatch = offer.algorithms && firstMismatch(offer.algorithms)
  if (mismatch !== undefined) {
    const [what, theirs, option, ours] = mismatch
    const shown = theirs.filter((name) => !NO_ALGORITHM.test(name)).slice(0, NAMES_SHOWN)
    return new PosternError(
      'UPSTREAM_SSH_PROTOCOL',
      `${who} and Postern have no ${what} in common; it offers only ${shown.join(', ') || 'none'}`,
      { cause, detail, hint: `Enable one of ${ours.join(', ')} on the SSH server (${option} in sshd_config).` },
    )
  }
  return new PosternError('UPSTREAM_SSH_PROTOCOL', `the SSH handshake with ${who} failed`, { cause, detail })
}

type Mismatch = readonly [what: string, theirs: readonly string[], option: string, ours: readonly string[]]

function firstMismatch(offered: NonNullable<ServerOffer['algorithms']>): Mismatch | undefined {
  const lists: readonly Mismatch[] = [
    ['key exchange', offered.keyExchanges, 'KexAlgorithms', KEY_EXCHANGES],
    ['kind of host key', offered.hostKeys, 'HostKeyAlgorithms', HOST_KEYS],
    ['cipher', offered.ciphers, 'Ciphers', CIPHERS],
    ['message authentication', offered.macs, 'MACs', MACS],
  ]
  return lists.find(([, theirs, , ours]) => !ours.some((name) => theirs.includes(name)))
}
