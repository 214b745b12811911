import { createHash, randomBytes } from 'node:crypto'
import type { BackendKeyData } from '../pgwire/backend-messages.ts'
import type { CancelRequest } from '../pgwire/startup-packet.ts'

/** Cancels the query that a session runs; resolves when the upstream has taken notice. */
export type CancelUpstream = () => Promise<void>

const shortKeyBytes = 4
const longKeyBytes = 32

/**
 * The cancel keys that this worker gave to its clients. The process id is the upstream's own, so that `pg_backend_pid()` and
 * what the client knows agree; the secret is ours, so that a client never holds the upstream's.
 *
 * Keys are found by a SHA-256 of process id and secret: what is compared is not the secret, so time tells nothing about it, and
 * the same text can be sent to other workers without giving the secret away.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export class CancelKeys {
  readonly #byFingerprint = new Map<string, CancelUpstream>()

  /**
   * Makes the key of a new session.
   * @param minor minor protocol version agreed with the client: 4 bytes before 3.2, 32 from then on
   * @returns what the client gets, and how to take the key back when the session ends
   */
  issue(pid: number, minor: number, cancel: CancelUpstream): { key: BackendKeyData; revoke: () => void } {
    const key = { pid, key: randomBytes(minor >= 2 ? longKeyBytes : shortKeyBytes) }
    const fingerprint = fingerprintOf(key)
    this.#byFingerprint.set(fingerprint, cancel)
    return { key, revoke: () => this.#byFingerprint.delete(fingerprint) }
  }

  get size(): number {
    return this.#byFingerprint.size
  }

  find(fingerprint: string): CancelUpstream | undefined {
    return this.#byFingerprint.get(fingerprint)
  }
}

/** What stands for a cancel key between workers. */
export function fingerprintOf({ pid, key }: Pick<CancelRequest, 'pid' | 'key'>): string {
  return createHash('sha256').update(`${pid}:`).update(key).digest('base64url')
}
