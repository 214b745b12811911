import type { Secret } from '../base/secret.ts'
import type { FetchContext } from './secret-source.ts'

/** One login method at a cloud, with what a data source says of it: what {@link IamLogins} remembers tokens of. */
export interface CloudIdentity {
  /** Everything that the token depends on; what is secret of it is digested before it is remembered. */
  readonly key: readonly unknown[]
  /** Who logs in, as the database names the identity. */
  readonly username: string
  /** @throws PosternError SECRET_SOURCE_* | INVALID_ARGUMENT */
  makeToken(context: FetchContext): Promise<MadeToken>
  /** What to look at when the database does not take the token. */
  refusalHint(context: FetchContext): Promise<string>
}

export interface MadeToken {
  readonly token: Secret
  /** What it is, for whom and where, for people. */
  readonly description: string
  /** From the moment that it was asked for. */
  readonly usableMs: number
}

/** A field of a data source that says something. */
export function textOf(field: string | undefined): string | undefined {
  return field === '' ? undefined : field
}
