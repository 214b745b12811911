import { PosternError } from '../../base/errors.ts'
import { parseSnowflakeAccount, type SnowflakeAccount } from './account.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'

const HTTPS_PORT = 443

/** @throws PosternError INVALID_ARGUMENT saying why the account cannot be read */
export function snowflakeAccount(route: DataSourceRoute): SnowflakeAccount {
  const account = parseSnowflakeAccount(route.fields.account ?? '')
  if ('problem' in account) throw invalid('account', account.problem)
  return account
}

/** Where the SQL API is reached: the host of the account, or the one that the data source names instead. */
export function snowflakeRestRoute(route: DataSourceRoute): DataSourceRoute {
  const host = route.host === '' ? snowflakeAccount(route).host : route.host
  return { ...route, host, port: route.host === '' || route.port === 0 ? HTTPS_PORT : route.port }
}

/**
 * Checks a route to Snowflake: what cannot be honoured is refused, never ignored (design section 5, invariant 5).
 * @throws PosternError INVALID_ARGUMENT naming the field
 */
export function checkSnowflakeRoute(route: DataSourceRoute): void {
  snowflakeAccount(route)
  if (route.loginMethod !== 'key_pair' && route.loginMethod !== 'access_token') {
    throw new PosternError(
      'INVALID_ARGUMENT',
      `loginMethod ${route.loginMethod} does not exist for Snowflake: its SQL API takes no password`,
      {
        hint: 'Choose key_pair (a private key whose public half the user has), or access_token.',
        detail: { field: 'loginMethod' },
      },
    )
  }
  if (route.username === '') throw invalid('username', 'is missing')
  if (route.username.includes('\0') || route.username.length > 255) throw invalid('username', 'is no name of a user')
  for (const field of ['warehouse', 'snowflakeRole'] as const) {
    if ((route.fields[field]?.length ?? 0) > 255) throw invalid(field, 'is longer than a name can be')
  }
  if (route.tlsMode !== 'verify-full') throw invalid('tlsMode', 'must be verify-full: Snowflake has nothing else')
  if (route.tlsCa !== null && route.host === '') throw invalid('tlsCa', 'is for a host of your own')
  if (route.tlsClientCertificate !== null) throw invalid('tlsClientCertificate', 'does not exist for Snowflake')
  if (route.ssh.length > 0) throw invalid('ssh', 'does not exist for Snowflake')
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
