import type { PosternError } from '../base/errors.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { sameHostAdvice } from '../dialer/same-host-advice.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'

/** Failures where the host may be meant for the other side of a container's wall. */
const NOT_REACHED = new Set([
  'UPSTREAM_NAME_UNKNOWN',
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_PORT_CLOSED',
  'UPSTREAM_TIMED_OUT',
  'UPSTREAM_SSH_UNREACHABLE',
])
/** Failures where packets are probably dropped on the way. */
const DROPPED = new Set(['UPSTREAM_TIMED_OUT', 'UPSTREAM_UNREACHABLE', 'UPSTREAM_SSH_UNREACHABLE'])

/** What to do about a failed connection test: the failure's own advice, and what is known of this place. */
export function failureAction(
  deps: Pick<InstanceDependencies, 'surroundings' | 'egressAddresses'>,
  route: DataSourceRoute,
  failure: PosternError,
): string {
  const firstHost = route.ssh[0]?.host ?? route.host
  const sentences = [
    NOT_REACHED.has(failure.code) ? sameHostAdvice(firstHost, deps.surroundings) : undefined,
    failure.hint ?? failure.row.action,
    DROPPED.has(failure.code) && deps.egressAddresses.length > 0
      ? `Postern comes from ${deps.egressAddresses.join(', ')}.`
      : undefined,
  ]
  return sentences.filter((sentence) => sentence !== undefined).join(' ')
}
