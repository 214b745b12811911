import type { SetupGuide, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { hclText, nameOr, shellWord } from './names.ts'

/** "HashiCorp Vault" of the document: a password in KV version 2. */
export function vaultKvGuide({ secretName, secretKey }: SetupGuideQuery): SetupGuide {
  return {
    kind: 'vault_kv',
    title: 'HashiCorp Vault: a password in KV version 2',
    steps: [
      {
        title: 'Create the secret',
        text: `Secret engine name: secret. Secret path: ${secretName}. Secret key: ${secretKey}. The value is read from standard input, so that it lies in no shell history.`,
        copy: {
          language: 'shell',
          text: `vault kv put -mount=secret ${shellWord(secretName)} ${shellWord(secretKey)}=-`,
        },
      },
      {
        title: 'Allow Postern to read it, and nothing else',
        text: 'The policy names the data path: KV version 2 has /data/ in it.',
        copy: {
          language: 'shell',
          text: `vault policy write postern - <<'HCL'\npath ${hclText(`secret/data/${secretName}`)} { capabilities = ["read"] }\nHCL`,
        },
      },
      {
        title: 'Give Postern a login: AppRole, or a token',
        text: 'AppRole is recommended: Postern logs in by itself, renews and revokes its tokens.',
        copy: {
          language: 'shell',
          text: [
            'vault auth enable approle',
            'vault write auth/approle/role/postern token_policies=postern token_ttl=1h token_max_ttl=24h',
            'vault read auth/approle/role/postern/role-id',
            'vault write -f auth/approle/role/postern/secret-id',
          ].join('\n'),
        },
      },
      {
        title: 'Configure the data source',
        text: `Vault URL, auth method (token, or role id and secret id), engine name secret, path ${secretName}, key ${secretKey}.`,
      },
    ],
  }
}

/** Vault makes a database user for Postern, under a lease. */
export function vaultDatabaseGuide({ username }: SetupGuideQuery): SetupGuide {
  return {
    kind: 'vault_database',
    title: 'HashiCorp Vault: database users under a lease',
    steps: [
      {
        title: 'Enable the engine and define a role',
        text: 'See the documentation of the plugin of your database for connection and creation statements.',
        copy: {
          language: 'shell',
          text: `vault secrets enable database\nvault write database/roles/${shellWord(username)} db_name=<<connection>> creation_statements=@create-user.sql default_ttl=1h max_ttl=24h`,
        },
      },
      {
        title: 'Allow Postern to use it',
        text: 'Leases are renewed at two thirds of their time and revoked when Postern stops.',
        copy: {
          language: 'shell',
          text: `vault policy write postern - <<'HCL'\npath ${hclText(`database/creds/${username}`)} { capabilities = ["read"] }\npath "sys/leases/renew" { capabilities = ["update"] }\npath "sys/leases/revoke" { capabilities = ["update"] }\nHCL`,
        },
      },
      {
        title: 'Configure the data source',
        text: `Both the user name and the password are references to the role ${username}: keys username and password. They share one lease.`,
      },
    ],
  }
}

/** "AWS Secrets Manager" of the document. */
export function awsSecretsManagerGuide({ secretName, secretKey, region, accountId }: SetupGuideQuery): SetupGuide {
  const arn = `arn:aws:secretsmanager:${nameOr(region, 'your-aws-region')}:${nameOr(accountId, 'your-aws-account-id')}:secret:${secretName}-??????`
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['secretsmanager:GetSecretValue'], Resource: [arn] }],
  }
  return {
    kind: 'aws_secrets_manager',
    title: 'AWS Secrets Manager',
    steps: [
      {
        title: 'Create the IAM user bytebase-external-secret',
        text: 'Once for all secrets. The document attaches SecretsManagerReadWrite; this policy is enough and reads this secret alone (the six ? stand for the characters that AWS appends to the name).',
        copy: { language: 'json', text: JSON.stringify(policy, null, 2) },
      },
      {
        title: 'Create an access key',
        text: 'Use case: Third-party service. On EC2, ECS or EKS a role of the machine does without a key.',
      },
      {
        title: 'Create the secret',
        text: `AWS Secrets Manager > Store a new secret > Other type of secret, key ${secretKey}, value: the password of the database user. Secret name: ${secretName}.`,
      },
      {
        title: 'Give the key to Postern',
        text: `Enter it with the data source, or start Postern with it. With the identity of the node the operator lists the secret: ambientSecretNames.`,
        copy: {
          language: 'shell',
          text: `AWS_REGION=${nameOr(region, 'us-east-1')} AWS_ACCESS_KEY_ID=<<xxx>> AWS_SECRET_ACCESS_KEY=<<yyy>> postern serve --ambient-secret-names ${shellWord(secretName)}`,
        },
      },
      {
        title: 'Configure the data source',
        text: `Secret name ${secretName}, secret key ${secretKey}.`,
      },
    ],
  }
}

/** "GCP Secret Manager" of the document. */
export function gcpSecretManagerGuide({ secretName, serviceAccount }: SetupGuideQuery): SetupGuide {
  const home = nameOr(/@([a-z0-9-]+)\.iam\.gserviceaccount\.com$/.exec(serviceAccount ?? '')?.[1], 'your-project')
  const full = secretName.startsWith('projects/') ? secretName : `projects/${home}/secrets/${secretName}`
  const [, project = home, , secret = secretName] = full.split('/')
  return {
    kind: 'gcp_secret_manager',
    title: 'GCP Secret Manager',
    steps: [
      {
        title: 'Create a service account with Secret Manager Secret Accessor',
        text: 'On this secret alone rather than on the project.',
        copy: {
          language: 'shell',
          text: `gcloud secrets add-iam-policy-binding ${shellWord(secret)} --project=${shellWord(project)} --member=${shellWord(`serviceAccount:${nameOr(serviceAccount, 'service-account-email')}`)} --role=roles/secretmanager.secretAccessor`,
        },
      },
      {
        title: 'Create a key of type JSON',
        text: 'Upload it with the data source, or start Postern with its path. In a container the file must lie in a mounted folder, otherwise it cannot be read.',
        copy: {
          language: 'shell',
          text: 'docker run -e GOOGLE_APPLICATION_CREDENTIALS=/var/lib/postern/key.json --volume postern-data:/var/lib/postern …',
        },
      },
      {
        title: 'Create the secret',
        text: 'Secret Manager > Create secret, and note its full name.',
        copy: { language: 'text', text: full },
      },
      { title: 'Configure the data source', text: `Secret full name ${full}, with /versions/N for a fixed version.` },
    ],
  }
}

/** Azure Key Vault. */
export function azureKeyVaultGuide({ secretName }: SetupGuideQuery): SetupGuide {
  return {
    kind: 'azure_key_vault',
    title: 'Azure Key Vault',
    steps: [
      {
        title: 'Create the secret',
        text: 'Key vault > Secrets > Generate/Import.',
        copy: {
          language: 'shell',
          text: `az keyvault secret set --vault-name <<your-vault>> --name ${shellWord(secretName)} --file /dev/stdin`,
        },
      },
      {
        title: 'Allow the application to read it',
        text: 'Role Key Vault Secrets User on this secret.',
        copy: {
          language: 'shell',
          text: `az role assignment create --role "Key Vault Secrets User" --assignee <<client-id>> --scope ${shellWord(`/subscriptions/<<subscription>>/resourceGroups/<<group>>/providers/Microsoft.KeyVault/vaults/<<your-vault>>/secrets/${secretName}`)}`,
        },
      },
      {
        title: 'Configure the data source',
        text: 'Vault URL (https://<<your-vault>>.vault.azure.net), secret name; tenant id, client id and client secret, or the identity of the node when the operator lists the secret in ambientSecretNames.',
      },
    ],
  }
}

/** "Custom endpoint" of the document. */
export function endpointGuide({ secretName }: SetupGuideQuery): SetupGuide {
  const url = `https://<<your-secret-manager>>/secrets/${encodeURIComponent(secretName)}:access`
  return {
    kind: 'endpoint',
    title: 'Custom endpoint',
    steps: [
      {
        title: 'Serve the password',
        text: 'GET of the URL answers 200 and this JSON; data is the base64 form of the password. Usually the last part of the URL is unique for each database.',
        copy: { language: 'json', text: '{\n  "payload": {\n    "data": "<<base64 of the password>>"\n  }\n}' },
      },
      {
        title: 'Try it',
        text: 'As Postern will call it. Headers with which it knows Postern can be given with the data source.',
        copy: { language: 'shell', text: `curl ${shellWord(url)}` },
      },
      {
        title: 'Configure the data source',
        text: 'Give the URL in double braces as the password.',
        copy: { language: 'text', text: `{{${url}}}` },
      },
    ],
  }
}
