import { ENGINE_CAPABILITIES, type LoginMethod } from '../contract/engines.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { SecretField } from '../dialer/data-source-secrets.ts'

const OF_LOGIN: Readonly<Record<LoginMethod, readonly SecretField[]>> = {
  password: ['password'],
  key_pair: ['privateKey', 'privateKeyPassphrase'],
  access_token: ['accessToken'],
  service_account: ['serviceAccount'],
  ambient: [],
  aws_iam: ['awsCredentials'],
  gcp_iam: ['serviceAccount'],
  azure_entra: ['azureClientSecret'],
}

/** The secrets that mean something on a route: any other one would be kept and never used. */
export function secretFieldsOf(route: DataSourceRoute): readonly SecretField[] {
  const presentsCertificate = route.tlsClientCertificate !== null || route.tlsFiles.certificate !== undefined
  return [
    ...(ENGINE_CAPABILITIES[route.engine].username === 'refused' ? [] : (['username'] as const)),
    ...OF_LOGIN[route.loginMethod],
    ...(presentsCertificate && route.tlsFiles.key === undefined ? (['tlsClientKey'] as const) : []),
    ...route.ssh.flatMap((hop, index): SecretField[] =>
      hop.auth === 'password' ? [`ssh.${index}.password`] : [`ssh.${index}.privateKey`, `ssh.${index}.passphrase`],
    ),
  ]
}
