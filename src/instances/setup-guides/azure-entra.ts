import type { SetupGuide, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { isMysql, mysqlAccount, nameOr, quotePostgres } from './names.ts'

/** Azure Database for PostgreSQL and MySQL (flexible servers): log in with an Entra token. */
export function azureEntraGuide(names: SetupGuideQuery): SetupGuide {
  const { username } = names
  return {
    kind: 'azure_entra',
    title: 'Azure Database: log in with Microsoft Entra',
    steps: [
      {
        title: 'Register an application',
        text: 'Microsoft Entra ID > App registrations > New registration, then Certificates & secrets > New client secret. Note tenant id, client id and the secret. Postern logs in as an application with a secret: a managed identity of the machine is not used.',
      },
      {
        title: 'Enable Entra authentication on the server',
        text: 'Authentication > Microsoft Entra authentication, with an Entra administrator.',
      },
      {
        title: 'Create the database user',
        text: 'As the Entra administrator. The name of the user is that of the application.',
        copy: {
          language: 'sql',
          text: isMysql(names)
            ? `SET aad_auth_validate_oids_in_tenant = OFF;\nCREATE AADUSER ${mysqlAccount(username)} IDENTIFIED BY '<<client-id>>';`
            : `SELECT * FROM pgaadauth_create_principal('${username.replaceAll("'", "''")}', false, false);\nALTER ROLE ${quotePostgres(username)} CREATEROLE CREATEDB;`,
        },
      },
      {
        title: 'Connect',
        text: `Login method azure_entra, host ${nameOr(names.host, isMysql(names) ? 'name.mysql.database.azure.com' : 'name.postgres.database.azure.com')}, user ${username}, fields azureTenantId and azureClientId, and the client secret (azureClientSecret); or start Postern with AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET and list the host in ambientIamHosts.`,
      },
    ],
  }
}
