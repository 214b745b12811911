import { PosternError } from '../../base/errors.ts'
import { cloudSqlUser, readCloudSqlName, type CloudSqlName } from '../../contract/cloud-sql-name.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../../dialer/data-source-secrets.ts'
import type { CloudIdentity } from '../cloud-identity.ts'
import { requireAmbientIamHost, type OperatorPolicy } from '../operator-policy.ts'
import type { FetchContext } from '../secret-source.ts'
import { cloudSqlAdmin } from './cloud-sql-admin.ts'
import { googleToken } from './google-token.ts'

const LOGIN_SCOPE = 'https://www.googleapis.com/auth/sqlservice.login'
/** Kept for the way to the database. */
const MARGIN_MS = 60_000

/**
 * Logs in to Cloud SQL. The token does nothing else: it goes into the client certificate, and to the instance where it asks for a
 * password.
 *
 * @throws PosternError SECRET_SOURCE_REFUSED where the operator does not let this node's own identity log in
 */
export function cloudSqlIdentity(
  route: DataSourceRoute,
  { serviceAccount }: DataSourceSecrets,
  policy: OperatorPolicy,
): CloudIdentity {
  const instance = cloudSqlInstance(route, serviceAccount !== undefined, policy)
  const family = route.engine === 'mysql' ? 'mysql' : 'postgres'
  const username = cloudSqlUser(route.username, family, instance)
  return {
    key: ['gcp_iam', instance, username, serviceAccount?.reveal()],
    username,
    async makeToken(context) {
      const { token, expiresAt } = await googleToken(serviceAccount, [LOGIN_SCOPE], context)
      return {
        token,
        usableMs: Math.max(0, expiresAt.getTime() - Date.now() - MARGIN_MS),
        description: `Google IAM token for ${username} at ${route.host.toLowerCase()}`,
      }
    },
    refusalHint: (context) => explainRefusal(route, instance, { family, username, serviceAccount }, context),
  }
}

/**
 * The instance that a route names.
 * @throws PosternError SECRET_SOURCE_REFUSED where nothing is given and the operator does not let this node's own identity log in
 */
export function cloudSqlInstance(route: DataSourceRoute, isGiven: boolean, policy: OperatorPolicy): CloudSqlName {
  if (!isGiven) requireAmbientIamHost(route.host, policy)
  const instance = readCloudSqlName(route.host)
  if (instance !== undefined) return instance
  throw new PosternError('INVALID_ARGUMENT', 'the host is no connection name of Cloud SQL', {
    detail: { field: 'host' },
  })
}

/** The database says only that it does not let the user in; why, the flags of the instance may tell. */
async function explainRefusal(
  { engine }: DataSourceRoute,
  instance: CloudSqlName,
  login: Pick<CloudIdentity, 'username'> & {
    readonly family: 'postgres' | 'mysql'
    readonly serviceAccount: DataSourceSecrets['serviceAccount']
  },
  context: FetchContext,
): Promise<string> {
  const flag = login.family === 'mysql' ? 'cloudsql_iam_authentication' : 'cloudsql.iam_authentication'
  const { projectId, instanceId } = instance
  const place = `--instance=${instanceId} --project=${projectId}`
  const rest = `that the user exists in the instance (gcloud sql users create ${login.username} ${place} --type=cloud_iam_service_account) and is that of the identity which logs in, and that this identity has the role Cloud SQL Instance User (roles/cloudsql.instanceUser)`
  let isOn: boolean | undefined
  try {
    const admin = await cloudSqlAdmin(instance, login.serviceAccount, context)
    isOn = (await admin.databaseFlags()).get(flag) === 'on'
  } catch {
    isOn = undefined // the refusal is what is to be told; this was to explain it
  }
  if (isOn === false) {
    return `The flag ${flag} of the instance is not on, without which ${engine} takes no login by IAM: gcloud sql instances patch ${instanceId} --project=${projectId} --database-flags=${flag}=on (setting flags replaces all of them).`
  }
  return isOn === true
    ? `The flag ${flag} is on. Check ${rest}.`
    : `Check that the flag ${flag} of the instance is on, ${rest}.`
}
