import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { PrincipalId } from '../base/ids.ts'
import type { Secret } from '../base/secret.ts'
import { readLiveSecretHashes, touchSecret } from '../store/service-principal-secrets.ts'
import type { Store } from '../store/store.ts'
import { hashClientSecret } from './client-secret.ts'

// last_used_at tells an operator which secret is still in use; a minute is exact enough and spares a write per token.
const touchIntervalMs = 60_000

/**
 * Checks a presented secret against every live secret of the client. The time it takes does not tell which one matched or
 * how much of it was right. Whether the service principal is active and in the workspace is its caller's question.
 */
export async function verifyClientSecret(
  deps: { readonly store: Store; readonly clock: Clock },
  clientId: string,
  presented: Secret,
): Promise<{ readonly principalId: PrincipalId; readonly secretId: string } | null> {
  const now = deps.clock.now()
  const live = await readLiveSecretHashes(deps.store.db, clientId, now)
  const hash = hashClientSecret(presented)
  const [match] = live.filter((secret) => timingSafeEqual(secret.hash, hash))
  if (match === undefined) return null
  const notSince = new Date(now.getTime() - touchIntervalMs)
  if (match.lastUsedAt === null || match.lastUsedAt < notSince) {
    await touchSecret(deps.store.db, match.id, now, notSince)
  }
  return { principalId: match.principalId, secretId: match.id }
}
