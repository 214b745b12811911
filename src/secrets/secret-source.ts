import type { Secret } from '../base/secret.ts'
import type { DialerDependencies } from '../dialer/dial-options.ts'
import type { OperatorPolicy } from './operator-policy.ts'
import type { SecretHttp } from './secret-http.ts'

/** What a secret manager gave: one or several values under one name. A plain secret stands under the empty key. */
export interface SecretDocument {
  readonly values: ReadonlyMap<string, Secret>
  /** Version as the manager names it, for the report; null where it has none. */
  readonly version: string | null
  /** How long the manager lets the values be used, in milliseconds; null: until they are changed. */
  readonly leaseMs: number | null
}

/** What a source may use while it fetches. Every way out goes through `http`, which keeps to the address rules. */
export interface FetchContext {
  readonly http: SecretHttp
  /** For libraries that bring requests of their own: they are sent by it too. */
  readonly dialer: DialerDependencies
  readonly policy: OperatorPolicy
  readonly signal: AbortSignal
  readonly now: () => Date
}

/** One secret manager: turns a reference into what it stands for. One file each. */
export interface SecretSource<Reference> {
  /** Names the document that a reference reads from: references with one name share one fetch. Holds no secret in clear. */
  documentOf(reference: Reference): readonly unknown[]
  /** The key inside the document. */
  keyOf(reference: Reference): string
  /** Host that is asked, for the report. */
  hostOf(reference: Reference): string
  /**
   * @throws PosternError SECRET_SOURCE_* naming what to fix; a status other than the documented one is never an empty secret
   */
  fetch(reference: Reference, context: FetchContext): Promise<SecretDocument>
}

/** All of a reference but its key: what is fetched at once for several keys. */
export function withoutKey(reference: object & { readonly key: unknown }): readonly unknown[] {
  return [Object.entries(reference).filter(([name]) => name !== 'key')]
}
