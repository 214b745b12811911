import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

/** A secret that was fetched from where it lives, and how: for the report of a connection test. */
export interface ResolvedSecret {
  readonly value: Secret
  /** Asked for now, remembered, or remembered because its manager did not answer. */
  readonly origin: 'fetched' | 'cached' | 'stale'
  /** Host of the manager. */
  readonly host: string
  /** As the manager names it; null where it has none. */
  readonly version: string | null
  readonly elapsedMs: number
  /** Call it when a database refused the value: the next resolution asks the manager, unless another one has since. */
  reject(): void
}

/** Secrets that live in other systems. */
export interface SecretReferences {
  /**
   * @param reference JSON of a SecretReference (contract), with the secrets that it is logged in with
   * @throws PosternError SECRET_SOURCE_*
   */
  resolve(reference: Secret): Promise<ResolvedSecret>
}

/** For a process that needs none: a data source with a reference is refused. */
export const noSecretReferences: SecretReferences = {
  resolve: () =>
    Promise.reject(new PosternError('SECRET_SOURCE_REFUSED', 'this process has no way to secret managers')),
}
