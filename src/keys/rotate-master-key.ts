import type { Kysely } from 'kysely'
import { recordAudit } from '../audit/record-audit.ts'
import type { Clock } from '../base/clock.ts'
import type { Schema } from '../store/schema.ts'
import type { Resealed } from './reseal-store.ts'
import type { RotationActor } from './rotate-signing-keys.ts'

/**
 * Has the master key of the deployment exchanged, and says who asked for it before it happens. The caller has authorized the actor.
 * @throws PosternError as the exchange does; it may be tried again and then goes on where it was
 */
export async function rotateMasterKey(
  deps: {
    readonly store: { readonly db: Kysely<Schema> }
    readonly clock: Clock
    readonly rotateMasterKey: () => Promise<Resealed>
  },
  actor: RotationActor,
): Promise<Resealed> {
  await recordAudit(deps.store.db, {
    action: 'masterKey.rotate',
    outcome: 'allowed',
    workspaceId: actor.workspaceId,
    occurredAt: deps.clock.now(),
    actorId: actor.principalId,
    actorName: actor.name,
    requestId: actor.requestId,
    peer: actor.peer,
    targetType: 'key',
    detail: {},
  })
  return deps.rotateMasterKey()
}
