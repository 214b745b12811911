import type { DataSource } from '../../contract/data-sources.ts'
import type { SecretField } from '../../dialer/data-source-secrets.ts'
import { describeCertificates } from '../../instances/describe-certificates.ts'
import type { InstanceView } from '../../instances/read-instances.ts'

/** The only way out for a data source: of a secret only whether there is one. */
export function presentDataSource(source: InstanceView['dataSources'][number], now: Date): DataSource {
  const has = (field: SecretField) => source.sealedSecrets[field] !== undefined
  const { lastCheck } = source
  return {
    id: source.id,
    name: source.name,
    type: source.type,
    title: source.title,
    weight: source.weight,
    host: source.host,
    port: source.port,
    database: source.database,
    username: source.username,
    loginMethod: source.loginMethod,
    passwordSet: has('password'),
    privateKeySet: has('privateKey'),
    privateKeyPassphraseSet: has('privateKeyPassphrase'),
    accessTokenSet: has('accessToken'),
    serviceAccountSet: has('serviceAccount'),
    awsCredentialsSet: has('awsCredentials'),
    azureClientSecretSet: has('azureClientSecret'),
    tlsMode: source.tlsMode,
    tlsCa: source.tlsCa,
    tlsClientCertificate: source.tlsClientCertificate,
    tlsClientKeySet: has('tlsClientKey'),
    tlsFiles: source.tlsFiles,
    certificates: describeCertificates(source, now),
    ssh: source.ssh.map((hop, index) => ({
      host: hop.host,
      port: hop.port,
      username: hop.username,
      auth: hop.auth,
      hostKey: hop.hostKey,
      publicKey: hop.publicKey ?? null,
      generatedKeyId: hop.generatedKeyId ?? null,
      passwordSet: has(`ssh.${index}.password`),
      privateKeySet: has(`ssh.${index}.privateKey`),
      passphraseSet: has(`ssh.${index}.passphrase`),
    })),
    fields: source.fields,
    extraParameters: source.extraParameters,
    externalSecrets: source.secretReferences as DataSource['externalSecrets'],
    tested: source.tested,
    lastCheck: lastCheck && {
      checkedAt: lastCheck.checkedAt.toISOString(),
      ok: lastCheck.ok,
      code: lastCheck.code,
      lagSeconds: lastCheck.lagSeconds,
    },
  }
}
