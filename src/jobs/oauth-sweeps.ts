import { sweepOauthArtifacts } from '../oauth/sweep-artifacts.ts'
import { Repeated } from './repeated.ts'

const SWEEP_MS = 15 * 60_000

/** Forgets what the authorization servers kept once it has expired. Any number of nodes may do it. */
export function oauthSweeps(
  deps: Parameters<typeof sweepOauthArtifacts>[0] & { readonly logger: { error(fields: object, text: string): void } },
): Repeated {
  const sweep = (): Promise<void> => sweepOauthArtifacts(deps)
  return new Repeated(SWEEP_MS, sweep, deps.logger, 'what the authorization servers kept could not be swept')
}
