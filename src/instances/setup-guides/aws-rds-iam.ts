import type { SetupGuide, SetupGuideQuery } from '../../contract/setup-guides.ts'
import { isMysql, mysqlAccount, nameOr, quotePostgres, shellWord } from './names.ts'

/** "Use IAM Auth: AWS RDS/Aurora" of the document, for one instance and user. */
export function awsRdsIamGuide(names: SetupGuideQuery): SetupGuide {
  const account = nameOr(names.accountId, 'your-aws-account-id')
  const exact = `arn:aws:rds-db:${nameOr(names.region, 'your-aws-region')}:${account}:dbuser:${nameOr(names.resourceId, 'resource-id-of-the-instance')}/${names.username}`
  return {
    kind: 'aws_rds_iam',
    title: 'AWS RDS and Aurora: log in with IAM',
    steps: [
      {
        title: 'Enable IAM authentication',
        text: 'In the settings of the RDS instance or Aurora cluster, enable IAM database authentication. The resource id that the policy needs stands in its Configuration tab (db-… for an instance, cluster-… for Aurora).',
      },
      {
        title: 'Create the IAM policy rds-connect for this instance and user',
        text: 'IAM > Policies > Create policy. It allows to log in to this instance as this database user and nothing else.',
        copy: { language: 'json', text: policy(exact) },
      },
      {
        title: 'Or: any in this account',
        text: 'The same policy with wildcards. 1st *: any region; 2nd *: any database; 3rd *: any database user. It allows to log in as every database user of every database in the account. The part between the region and dbuser is the id of the AWS account, not of a database.',
        copy: { language: 'json', text: policy(`arn:aws:rds-db:*:${account}:dbuser:*/*`) },
      },
      {
        title: 'Create the IAM user rds-connector',
        text: 'IAM > Users > Create user. Attach the policy rds-connect directly. On its detail page create an access key (Application running outside AWS). On EC2, ECS or EKS a role of the machine does without a key.',
      },
      {
        title: 'Give the key to Postern',
        text: 'You get an access key and a secret access key. Either enter them with the data source (awsCredentials), or start Postern with these variables and name the endpoints that they may be used for (ambientIamHosts). With a role to assume, Postern needs sts:AssumeRole on it, and for the identity of the machine the operator lists it in ambientRoleArns.',
        copy: {
          language: 'shell',
          text: `AWS_ACCESS_KEY_ID=<<your-access-key>> AWS_SECRET_ACCESS_KEY=<<your-secret-access-key>> AWS_REGION=${nameOr(names.region, 'your-aws-region')} postern serve --ambient-iam-hosts ${shellWord(nameOr(names.host, 'endpoint-of-the-instance'))}`,
        },
      },
      {
        title: 'Create the database user',
        text: 'In the database, as its master user.',
        copy: { language: 'sql', text: isMysql(names) ? mysqlUser(names.username) : postgresUser(names.username) },
      },
      {
        title: 'Connect',
        text: `The detail page of the RDS instance shows its endpoint and port. Login method aws_iam, host ${nameOr(names.host, 'endpoint of the instance')}, user ${names.username}. TLS is verified with the authorities of RDS, which Postern knows.`,
      },
    ],
  }
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html */
function policy(resource: string): string {
  return JSON.stringify(
    { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: ['rds-db:connect'], Resource: [resource] }] },
    null,
    2,
  )
}

function mysqlUser(username: string): string {
  const account = mysqlAccount(username)
  return [
    `CREATE USER ${account} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';`,
    `ALTER USER ${account} REQUIRE SSL;`,
    'GRANT ALTER, ALTER ROUTINE, CREATE, CREATE ROUTINE, CREATE VIEW, DELETE, DROP, EVENT, EXECUTE, INDEX, INSERT, PROCESS,',
    '  REFERENCES, SELECT, SHOW DATABASES, SHOW VIEW, TRIGGER, UPDATE, REPLICATION CLIENT, REPLICATION SLAVE',
    `  /*!80000 , SET_USER_ID */ ON *.* TO ${account};`,
  ].join('\n')
}

function postgresUser(username: string): string {
  const user = quotePostgres(username)
  return [`CREATE USER ${user};`, `GRANT rds_iam TO ${user};`, `GRANT rds_superuser TO ${user};`].join('\n')
}
