import { type ErrorCode, PosternError } from '../base/errors.ts'

/** What a broken constraint means to the caller, by the name that the migrations give it. */
const MEANING: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  workspace_name_is_unique: ['ALREADY_EXISTS', 'A workspace of this name exists already.'],
  workspace_gateway_domain_is_unique: ['ALREADY_EXISTS', 'Another workspace has this gateway domain.'],
  workspace_host_pkey: ['ALREADY_EXISTS', 'Another workspace has this host name.'],
  user_account_email_is_unique: ['ALREADY_EXISTS', 'A user with this e-mail address exists already.'],
  service_principal_client_id_is_unique: ['ALREADY_EXISTS', 'A service principal with this client id exists already.'],
  principal_group_name_is_unique: ['ALREADY_EXISTS', 'A group of this name exists already.'],
  group_member_is_not_itself: ['INVALID_ARGUMENT', 'A group cannot be a member of itself.'],
  group_member_pkey: ['ALREADY_EXISTS', 'The principal is a member of the group already.'],
  sso_provider_name_is_unique: ['ALREADY_EXISTS', 'The workspace has an SSO provider of this name already.'],
  federation_policy_name_is_unique: [
    'ALREADY_EXISTS',
    'The service principal has a federation policy of this name already.',
  ],
  instance_name_is_unique: ['ALREADY_EXISTS', 'An instance of this name exists already.'],
  instance_name_is_a_host_label: ['INVALID_ARGUMENT', 'The name of an instance must be a host label.'],
  data_source_name_is_unique: ['ALREADY_EXISTS', 'The instance has a data source of this name already.'],
  data_source_admin_is_single: ['ALREADY_EXISTS', 'The instance has an admin data source already.'],
  postgres_role_is_bound_once: ['ALREADY_EXISTS', 'This Postgres role is bound already.'],
  postgres_role_name_fits_postgres: ['INVALID_ARGUMENT', 'The name of a Postgres role has 1 to 63 bytes.'],
}

/** Every constraint with a meaning, for the test that holds them against the migrations. */
export const translatedConstraints: readonly string[] = Object.keys(MEANING)

/** SQLSTATE classes and codes that say: the store is away, try again (connection exception, shutdown, statement_timeout). */
const AWAY = /^(08...|57P0.|57014)$/
/** It answers, but takes no changes: out of disk, memory or sessions, a failing disk, read-only. */
const TAKES_NO_CHANGES = /^(53...|58...|25006)$/
const AWAY_ERRNO = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND'])

/** The name of the constraint that a statement broke; undefined when it failed otherwise. */
function brokenConstraint(thrown: unknown): string | undefined {
  const constraint = field(thrown, 'constraint')
  return field(thrown, 'code')?.startsWith('23') ? constraint : undefined
}

/**
 * The store's failure in Postern's words: a known constraint by its name, a store that is away as STORE_UNAVAILABLE.
 * Anything else comes back as it was, and is answered as INTERNAL.
 */
export function translateStoreError(thrown: unknown): unknown {
  const meaning = MEANING[brokenConstraint(thrown) ?? '']
  if (meaning) return new PosternError(meaning[0], meaning[1], { cause: thrown })
  const code = field(thrown, 'code') ?? ''
  if (AWAY.test(code) || AWAY_ERRNO.has(code)) {
    return new PosternError('STORE_UNAVAILABLE', 'The metadata store does not answer.', { cause: thrown })
  }
  if (TAKES_NO_CHANGES.test(code)) {
    return new PosternError('STORE_UNAVAILABLE', 'The metadata store takes no changes.', { cause: thrown })
  }
  return thrown
}

/** Awaits `work` and throws its failure translated by {@link translateStoreError}. */
export async function withStoreErrors<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw translateStoreError(thrown)
  }
}

function field(thrown: unknown, name: string): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const value = (thrown as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : undefined
}
