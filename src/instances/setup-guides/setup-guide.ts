import { authorize } from '../../access/policy.ts'
import type { SetupGuide, SetupGuideKind, SetupGuideQuery } from '../../contract/setup-guides.ts'
import type { Actor } from '../../identity/actor.ts'
import { awsRdsIamGuide } from './aws-rds-iam.ts'
import { azureEntraGuide } from './azure-entra.ts'
import { googleCloudSqlIamGuide } from './google-cloud-sql-iam.ts'
import {
  awsSecretsManagerGuide,
  azureKeyVaultGuide,
  endpointGuide,
  gcpSecretManagerGuide,
  vaultDatabaseGuide,
  vaultKvGuide,
} from './secret-managers.ts'

const GUIDES: Readonly<Record<SetupGuideKind, (names: SetupGuideQuery) => SetupGuide>> = {
  aws_rds_iam: awsRdsIamGuide,
  google_cloud_sql_iam: googleCloudSqlIamGuide,
  azure_entra: azureEntraGuide,
  vault_kv: vaultKvGuide,
  vault_database: vaultDatabaseGuide,
  aws_secrets_manager: awsSecretsManagerGuide,
  gcp_secret_manager: gcpSecretManagerGuide,
  azure_key_vault: azureKeyVaultGuide,
  endpoint: endpointGuide,
}

/**
 * What to do outside of Postern, step by step, with the names of one data source filled in where they are known.
 * @throws PosternError PERMISSION_DENIED
 */
export function readSetupGuide(actor: Actor, kind: SetupGuideKind, names: SetupGuideQuery): SetupGuide {
  authorize(actor, 'setupGuide.read')
  return GUIDES[kind](names)
}
