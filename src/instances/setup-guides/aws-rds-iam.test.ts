import { describe, expect, test } from 'vitest'
import { SetupGuideQuery } from '../../contract/setup-guides.ts'
import { awsRdsIamGuide } from './aws-rds-iam.ts'

/** Title and text of every step, and what is to be copied, in one text. */
function guide(names: object = {}): string {
  const { steps } = awsRdsIamGuide(SetupGuideQuery.parse(names))
  return steps.map(({ title, text, copy }) => [title, text, copy?.text].join('\n')).join('\n')
}

describe('the set-up guide for IAM at RDS and Aurora', () => {
  test('[D1-038] begins with the setting of the instance', () => {
    expect(guide()).toMatch(/^Enable IAM authentication\nIn the settings of the RDS instance or Aurora cluster/)
  })

  test('[D1-039] [D1-040] [D1-041] [D1-042] [D1-049] [D1-050] gives the policy rds-connect for one database and user', () => {
    const names = { region: 'eu-central-1', accountId: '123456789012', resourceId: 'db-ABCDEFGH' }
    const text = guide(names)
    expect(text).toContain('IAM > Policies > Create policy')
    expect(text).toContain('policy rds-connect')
    const [policy] = awsRdsIamGuide(SetupGuideQuery.parse(names)).steps.flatMap(({ copy }) =>
      copy?.language === 'json' ? [JSON.parse(copy.text) as object] : [],
    )
    expect(policy).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['rds-db:connect'],
          Resource: ['arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABCDEFGH/bytebase'],
        },
      ],
    })
  })

  test('[D1-043] [D1-044] [D1-045] [D1-046] [D1-047] [D1-048] gives the policy for any in this account, its wildcards explained', () => {
    const text = guide({ accountId: '123456789012' })
    expect(text).toContain('"arn:aws:rds-db:*:123456789012:dbuser:*/*"')
    expect(text).toContain('1st *: any region; 2nd *: any database; 3rd *: any database user.')
    expect(text).toContain('as every database user of every database in the account')
  })

  test('[D1-051] [D1-052] [D1-053] [D1-054] [D1-055] [D1-056] [D1-057] [D1-058] makes the IAM user rds-connector and its key', () => {
    const text = guide()
    for (const part of [
      'IAM user rds-connector',
      'IAM > Users > Create user.',
      'Attach the policy rds-connect directly',
      'create an access key (Application running outside AWS)',
      'You get an access key and a secret access key',
    ]) {
      expect(text).toContain(part)
    }
  })

  test('[D1-062] says where the endpoint and port stand, and which endpoint the machine may use its identity for', () => {
    const host = 'orders.abc123.eu-central-1.rds.amazonaws.com'
    expect(guide({ host })).toContain(`shows its endpoint and port. Login method aws_iam, host ${host}`)
    expect(guide({ host })).toContain(`postern serve --ambient-iam-hosts ${host}`)
  })

  test('[D1-064] gives the statements for MySQL with its plugin, TLS and the grant of version 8', () => {
    expect(guide({ engine: 'mysql' })).toContain(
      `CREATE USER 'bytebase'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS';\nALTER USER 'bytebase'@'%' REQUIRE SSL;`,
    )
    expect(guide({ engine: 'mysql' })).toContain(`/*!80000 , SET_USER_ID */ ON *.* TO 'bytebase'@'%';`)
    expect(guide()).toContain('GRANT rds_iam TO "bytebase";')
  })
})
