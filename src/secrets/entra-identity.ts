import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { azureToken } from './azure-identity.ts'
import { textOf, type CloudIdentity } from './cloud-identity.ts'
import { requireAmbientIamHost, type OperatorPolicy } from './operator-policy.ts'

/** The databases of Azure, whatever their engine (learn.microsoft.com/azure/postgresql/flexible-server/how-to-configure-sign-in-azure-ad-authentication). */
const SCOPE = 'https://ossrdbms-aad.database.windows.net/.default'
/** Kept for the way to the database. */
const MARGIN_MS = 60_000

/**
 * Logs in to Azure Database for PostgreSQL or MySQL. The token is good at every database that knows the application, not at this
 * one alone: hence the operator lists the hosts that are shown one of this node's own.
 *
 * @throws PosternError SECRET_SOURCE_REFUSED where the operator does not let this node's own identity log in
 */
export function entraIdentity(
  { host, username, engine, fields }: DataSourceRoute,
  { azureClientSecret }: DataSourceSecrets,
  policy: OperatorPolicy,
): CloudIdentity {
  if (azureClientSecret === undefined) requireAmbientIamHost(host.replace(/\.$/, ''), policy)
  const identity = {
    tenantId: textOf(fields.azureTenantId),
    clientId: textOf(fields.azureClientId),
    clientSecret: azureClientSecret?.reveal(),
  }
  const ofEngine =
    engine === 'mysql'
      ? `CREATE AADUSER '${username}' by the Microsoft Entra administrator of the server`
      : `pgaadauth_create_principal('${username}', …) by the Microsoft Entra administrator of the server`
  return {
    // One token serves all hosts, yet each login says for itself whether it is a remembered one.
    key: ['azure_entra', host, username, identity],
    username,
    async makeToken(context) {
      const { token, lifeMs } = await azureToken(identity, SCOPE, context)
      const clientId = identity.clientId ?? policy.environment['AZURE_CLIENT_ID']
      return {
        token,
        usableMs: Math.max(0, lifeMs - MARGIN_MS),
        description: `Microsoft Entra token of the application ${clientId} for ${username} at ${host}`,
      }
    },
    refusalHint: () =>
      Promise.resolve(
        `Check that Microsoft Entra authentication is enabled on the server, that the user ${username} was made for the application (${ofEngine}), and that its name is written alike in both places.`,
      ),
  }
}
