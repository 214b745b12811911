import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { AwsCredentials } from '../contract/secret-references.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { textOf, type CloudIdentity } from './cloud-identity.ts'
import { requireAmbientIamHost, type OperatorPolicy } from './operator-policy.ts'
import { rdsAuthToken, type RdsLogin } from './rds-auth-token.ts'

/**
 * Logs in to RDS and Aurora.
 * @throws PosternError SECRET_SOURCE_REFUSED where the operator does not let this node's own identity log in |
 *   SECRET_SOURCE_INVALID for an access key that is none
 */
export function rdsIdentity(route: DataSourceRoute, secrets: DataSourceSecrets, policy: OperatorPolicy): CloudIdentity {
  const login = rdsLoginOf(route, secrets.awsCredentials)
  const { host, port, username, region, identity } = login
  const { credentials, roleArn } = identity
  if (credentials === undefined && roleArn === undefined) requireAmbientIamHost(host, policy)
  return {
    key: ['aws_iam', host, port, username, region, identity],
    username,
    async makeToken(context) {
      const made = await rdsAuthToken(login, context)
      return { ...made, description: `AWS IAM token for ${username} at ${host}, region ${made.region}` }
    },
    refusalHint: () =>
      Promise.resolve(
        `Check that IAM authentication is enabled, that the user ${username} was made for it (PostgreSQL: GRANT rds_iam; MySQL: AWSAuthenticationPlugin), and that the policy of the AWS identity allows rds-db:connect to this database and user.`,
      ),
  }
}

function rdsLoginOf({ host, port, username, fields }: DataSourceRoute, given: Secret | undefined): RdsLogin {
  return {
    host: host.toLowerCase().replace(/\.$/, ''),
    port,
    username,
    region: textOf(fields.awsRegion),
    identity: {
      credentials: given === undefined ? undefined : readCredentials(given),
      roleArn: textOf(fields.awsRoleArn),
      externalId: textOf(fields.awsExternalId),
    },
  }
}

function readCredentials(json: Secret): AwsCredentials {
  try {
    return AwsCredentials.parse(JSON.parse(json.reveal()))
  } catch {
    // What the parsers say may quote the text.
    throw new PosternError('SECRET_SOURCE_INVALID', 'awsCredentials holds no access key of AWS', {
      hint: 'It must be JSON with accessKeyId, secretAccessKey and, of temporary keys, sessionToken.',
    })
  }
}
