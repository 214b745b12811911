import type { Clock } from '../base/clock.ts'
import { cloudEnvironment } from '../config/cloud-environment.ts'
import type { DialerDependencies } from '../dialer/dial.ts'
import { noSecretReferences } from '../dialer/secret-references.ts'
import { SecretResolver } from '../secrets/secret-resolver.ts'
import type { ChildBootstrap } from './child-messages.ts'

/** For one fetch of a secret, the login to its manager included. */
const FETCH_LIMIT_MS = 5_000

/** The way to the secret managers that this node may ask. */
export function composeSecrets(
  { config, secretEnvironment }: Pick<ChildBootstrap, 'config' | 'secretEnvironment'>,
  dialer: Omit<DialerDependencies, 'secretReferences'>,
  clock: Clock,
): SecretResolver {
  return new SecretResolver({
    // What a manager is reached with lives in no other manager.
    dialer: { ...dialer, secretReferences: noSecretReferences },
    policy: {
      environmentNames: config.secretEnvironmentNames,
      environment: { ...cloudEnvironment(), ...secretEnvironment },
      fileFolders: config.secretFileDirs,
      storeOrigins: config.secretStoreOrigins,
      ambientSecretNames: config.ambientSecretNames,
      ambientRoleArns: config.ambientRoleArns,
    },
    clock,
    ttlMs: config.secretTtlSeconds * 1_000,
    staleMs: config.secretStaleSeconds * 1_000,
    timeoutMs: FETCH_LIMIT_MS,
  })
}
