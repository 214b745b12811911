import { randomInt, randomUUID } from 'node:crypto'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Decimal digits, at most 15 of them, so that clients which parse it as a number keep every digit. */
export type WorkspaceId = Branded<'WorkspaceId'>
/** Decimal digits like {@link WorkspaceId}: the immutable identity of a user, service principal or group. */
export type PrincipalId = Branded<'PrincipalId'>
/** UUID. A re-created instance of the same name has another one, so old credentials do not open it. */
export type InstanceId = Branded<'InstanceId'>
/** UUID. */
export type DataSourceId = Branded<'DataSourceId'>
/** UUID of a Postgres role binding. */
export type RoleBindingId = Branded<'RoleBindingId'>
/** UUID of one client session on the gateway; stands in every log line and audit record of that session. */
export type SessionId = Branded<'SessionId'>

const NUMERIC_ID_MIN = 100_000_000_000_000
const NUMERIC_ID_SPAN = 2 ** 47

/** A random 15-digit decimal id. Real clients of the compatible API parse these as integers (53-bit safe). */
export function newNumericId<Id extends WorkspaceId | PrincipalId>(): Id {
  return String(NUMERIC_ID_MIN + randomInt(NUMERIC_ID_SPAN)) as Id
}

/** A random UUID branded as the id the caller needs. */
export function newUuid<Id extends InstanceId | DataSourceId | RoleBindingId | SessionId>(): Id {
  return randomUUID() as string as Id
}
