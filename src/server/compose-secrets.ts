import type { Clock } from '../base/clock.ts'
import { cloudEnvironment } from '../config/cloud-environment.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import { noCloudLogins } from '../dialer/cloud-logins.ts'
import { noSecretReferences } from '../dialer/secret-references.ts'
import { IamLogins } from '../secrets/iam-logins.ts'
import { SecretResolver } from '../secrets/secret-resolver.ts'
import type { ChildBootstrap } from './child-messages.ts'

/** For one fetch of a secret, the login to its manager included. */
const FETCH_LIMIT_MS = 5_000

/** What data sources are logged in to with, where that is not stored here. */
export interface ComposedSecrets {
  readonly secretReferences: SecretResolver
  readonly cloudLogins: IamLogins
}

/** The way to the secret managers that this node may ask, and to the clouds. */
export function composeSecrets(
  { config, secretEnvironment }: Pick<ChildBootstrap, 'config' | 'secretEnvironment'>,
  dialer: Omit<DialerDependencies, 'secretReferences' | 'cloudLogins'>,
  clock: Clock,
): ComposedSecrets {
  const shared = {
    // What a manager is reached with lives in no other manager.
    dialer: { ...dialer, secretReferences: noSecretReferences, cloudLogins: noCloudLogins },
    policy: {
      environmentNames: config.secretEnvironmentNames,
      environment: { ...cloudEnvironment(), ...secretEnvironment },
      fileFolders: config.secretFileDirs,
      storeOrigins: config.secretStoreOrigins,
      ambientSecretNames: config.ambientSecretNames,
      ambientRoleArns: config.ambientRoleArns,
      ambientIamHosts: config.ambientIamHosts,
      googleTokenEndpoint: config.googleTokenEndpoint,
      cloudSqlAdminEndpoint: config.cloudSqlAdminEndpoint,
    },
    clock,
    timeoutMs: FETCH_LIMIT_MS,
  }
  return {
    secretReferences: new SecretResolver({
      ...shared,
      ttlMs: config.secretTtlSeconds * 1_000,
      staleMs: config.secretStaleSeconds * 1_000,
    }),
    cloudLogins: new IamLogins(shared),
  }
}
