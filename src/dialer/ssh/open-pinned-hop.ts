import type { Duplex } from 'node:stream'
import type { ServerHostKeyAlgorithm } from 'ssh2'
import { PosternError } from '../../base/errors.ts'
import { HOST_KEYS } from './algorithms.ts'
import { type HopOptions, openHop, type OpenHop } from './open-hop.ts'

interface PinnedHopOptions extends Omit<HopOptions, 'hostKeys' | 'timeoutMs'> {
  readonly leftMs: () => number
  /** Opens another stream to the same server. */
  readonly dial: () => Promise<Duplex>
}

/**
 * {@link openHop} for a server that has several host keys, of which any may be the pinned one: while it shows another one, it is
 * asked for the kinds that it has not shown yet.
 *
 * @throws PosternError of {@link openHop}; UPSTREAM_SSH_HOST_KEY_CHANGED is about the key that it prefers to show
 */
export async function openPinnedHop(options: PinnedHopOptions): Promise<OpenHop> {
  let hostKeys: readonly ServerHostKeyAlgorithm[] = HOST_KEYS
  let changed: PosternError | undefined
  for (;;) {
    try {
      return await openHop(await options.dial(), { ...options, hostKeys, timeoutMs: options.leftMs() })
    } catch (thrown) {
      // It has no key of another kind, or does not let us ask for it.
      if (changed !== undefined && !isHostKeyChanged(thrown)) throw changed
      if (!isHostKeyChanged(thrown)) throw thrown
      changed ??= thrown
      const shown = kindsOf(String(thrown.detail?.['algorithm']))
      hostKeys = hostKeys.filter((kind) => !shown.includes(kind))
      if (hostKeys.length === 0) throw changed
    }
  }
}

function isHostKeyChanged(thrown: unknown): thrown is PosternError {
  return thrown instanceof PosternError && thrown.code === 'UPSTREAM_SSH_HOST_KEY_CHANGED'
}

/** The kinds under which a key can be asked for: an RSA key signs by two. A kind that we did not ask for is every kind. */
function kindsOf(algorithm: string): readonly ServerHostKeyAlgorithm[] {
  if (algorithm === 'ssh-rsa') return ['rsa-sha2-512', 'rsa-sha2-256']
  return HOST_KEYS.some((kind) => kind === algorithm) ? [algorithm as ServerHostKeyAlgorithm] : HOST_KEYS
}
