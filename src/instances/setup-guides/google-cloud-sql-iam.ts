import { readCloudSqlName } from '../../contract/cloud-sql-name.ts'
import type { SetupGuide, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { isMysql, mysqlAccount, nameOr, quotePostgres, shellWord } from './names.ts'

/** "Use IAM Auth: Google Cloud SQL" of the document, for one instance and service account. */
export function googleCloudSqlIamGuide(names: SetupGuideQuery): SetupGuide {
  const instanceOfHost = readCloudSqlName(names.host ?? '')
  const projectId = nameOr(instanceOfHost?.projectId, 'your-project')
  const email = names.serviceAccount ?? `${names.username}@${projectId}.iam.gserviceaccount.com`
  const shortName = email.split('@')[0] ?? email
  const user = isMysql(names) ? shortName : email.replace(/\.gserviceaccount\.com$/, '')
  const flag = isMysql(names) ? 'cloudsql_iam_authentication' : 'cloudsql.iam_authentication'
  const instanceName = nameOr(instanceOfHost?.instanceId, 'your-instance')
  return {
    kind: 'google_cloud_sql_iam',
    title: 'Google Cloud SQL: log in with IAM',
    steps: [
      {
        title: 'Create a service account',
        text: `IAM & Admin > Service accounts > Create service account: ${shortName}. Its e-mail is ${email}. It needs Cloud SQL Client (to reach the instance) and Cloud SQL Instance User (to log in); the document grants Cloud SQL Admin, which holds both and far more.`,
        copy: {
          language: 'shell',
          text: ['roles/cloudsql.client', 'roles/cloudsql.instanceUser']
            .map(
              (role) =>
                `gcloud projects add-iam-policy-binding ${shellWord(projectId)} --member=${shellWord(`serviceAccount:${email}`)} --role=${role}`,
            )
            .join('\n'),
        },
      },
      {
        title: 'Create a key',
        text: 'KEYS > ADD KEY > Create new key > JSON > CREATE. Keep the downloaded file: it holds the private key. A machine with a service account of its own needs none.',
      },
      {
        title: `Enable ${flag}`,
        text: 'On the instance detail page the flag must be on. Setting flags replaces all of them: name those that are set already as well.',
        copy: {
          language: 'shell',
          text: `gcloud sql instances patch ${shellWord(instanceName)} --project=${shellWord(projectId)} --database-flags=${flag}=on`,
        },
      },
      {
        title: 'Add the database user',
        text: `Users > ADD USER ACCOUNT > Cloud IAM, with the e-mail of the service account. The database knows it as ${user}.`,
        copy: {
          language: 'shell',
          text: `gcloud sql users create ${shellWord(user)} --instance=${shellWord(instanceName)} --project=${shellWord(projectId)} --type=cloud_iam_service_account`,
        },
      },
      {
        title: 'Grant it what Postern needs',
        text: 'In the database, as an administrator.',
        copy: {
          language: 'sql',
          text: isMysql(names)
            ? `GRANT cloudsqlsuperuser TO ${mysqlAccount(user)};`
            : `GRANT cloudsqlsuperuser TO ${quotePostgres(user)};`,
        },
      },
      {
        title: 'Give the key to Postern',
        text: 'Upload the JSON file with the data source, or start Postern with its path; in a container the file must lie in a mounted folder. That identity logs in where the operator lists the instance (ambientIamHosts).',
        copy: {
          language: 'shell',
          text: `GOOGLE_APPLICATION_CREDENTIALS=<<your-json-file>> postern serve --ambient-iam-hosts ${shellWord(nameOr(names.host, 'project:region:instance'))}`,
        },
      },
      {
        title: 'Connect',
        text: `Login method gcp_iam, host ${nameOr(names.host, 'connection name: project:region:instance')} (the Connection name on the overview page), user ${shortName} or ${email}: either is sent as the database wants it.`,
      },
    ],
  }
}
