import type Provider from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import type { WorkspaceId } from '../../base/ids.ts'
import type { SignInThrottle } from '../../identity/sign-in-throttle.ts'
import type { Store } from '../../store/store.ts'
import type { CallerOf } from '../caller.ts'
import type { FormTokens } from './form-token.ts'

/** What the pages of one workspace's authorization server need. */
export interface InteractionDependencies {
  readonly provider: Provider
  readonly store: Store
  readonly throttle: SignInThrottle
  readonly formTokens: FormTokens
  readonly callerOf: CallerOf
  readonly workspace: { readonly id: WorkspaceId; readonly name: string }
}

/** A step of the authorization server: answers a request or passes it on. */
export type Middleware = (ctx: KoaContextWithOIDC, next: () => Promise<void>) => Promise<void>

/** An authorization request that waits for a person. */
export type Interaction = InstanceType<Provider['Interaction']>
