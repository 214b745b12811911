import { describe, expect, test } from 'vitest'
import { SetupGuide, SetupGuideKind, SetupGuideQuery } from '../../contract/setup-guides.ts'
import type { Actor } from '../../identity/actor.ts'
import { readSetupGuide } from './setup-guide.ts'

const dba = { workspaceRole: 'dba', name: 'someone' } as Actor
const NAMES = {
  username: 'reporter',
  database: 'shop',
  host: 'shop-project:europe-west1:shop-instance',
  region: 'eu-central-1',
  accountId: '123456789012',
  resourceId: 'db-ABCDEFGH',
  serviceAccount: 'reporter@shop-project.iam.gserviceaccount.com',
  secretName: 'shop/reporter',
  secretKey: 'PASSWORD',
}
const guide = (kind: SetupGuideKind, names: object) => readSetupGuide(dba, kind, SetupGuideQuery.parse(names))
const copies = (kind: SetupGuideKind, names: object) => guide(kind, names).steps.map(({ copy }) => copy?.text ?? '')

describe('a setup guide', () => {
  test.each(SetupGuideKind.options)('of %s has its names filled in, for every engine', (kind) => {
    for (const engine of ['postgres', 'mysql', 'mariadb']) {
      const filled = SetupGuide.parse(guide(kind, { ...NAMES, engine }))
      expect(filled.kind).toBe(kind)
      const text = JSON.stringify(filled)
      expect(Object.values(NAMES).filter((name) => text.includes(name))).not.toEqual([])
      // What is left to fill in is what only its reader has, and no name that was given.
      const open = [...text.matchAll(/<<([^>]+)>>/g)].map(([, name]) => name)
      expect(open.filter((name) => /region|account-id|resource|instance|project|user/.test(name ?? ''))).toEqual([])
    }
  })

  test('says where a name is missing, so that nobody copies a half statement unseen', () => {
    expect(copies('aws_rds_iam', {}).join()).toMatch(/<<your-aws-account-id>>.*<<resource-id-of-the-instance>>/s)
  })

  test('[D1-093] [D1-094] [D1-095] [D1-096] [D1-097] shows the secret of the document as Vault takes it, with the value from standard input', () => {
    const [step] = guide('vault_kv', {}).steps
    expect(step?.text).toMatch(/engine name: secret. Secret path: bytebase. Secret key: DB_PASSWORD/)
    expect(step?.copy?.text).toBe('vault kv put -mount=secret bytebase DB_PASSWORD=-')
  })

  test('names the account where AWS has it, for any and for this instance and user only', () => {
    const text = copies('aws_rds_iam', NAMES).join('\n')
    expect(text).toContain('arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABCDEFGH/reporter')
    expect(text).toContain('arn:aws:rds-db:*:123456789012:dbuser:*/*')
  })

  test('quotes a user name that tries to leave its statement', () => {
    const evil = `x"; DROP TABLE t; --'; DROP TABLE t; -- \\'`
    const postgres = copies('aws_rds_iam', { username: evil }).join('\n')
    expect(postgres).toContain(`CREATE USER "x""; DROP TABLE t; --'; DROP TABLE t; -- \\'";`)
    const mysql = copies('aws_rds_iam', { username: evil, engine: 'mysql' }).join('\n')
    expect(mysql).toContain(`CREATE USER 'x"; DROP TABLE t; --''; DROP TABLE t; -- \\\\'''@'%' IDENTIFIED`)
    const azure = copies('azure_entra', { username: evil }).join('\n')
    expect(azure).toContain(`pgaadauth_create_principal('x"; DROP TABLE t; --''; DROP TABLE t; -- \\''', false, false)`)
  })

  test('takes no name that ends a line, and none that ends the text of a policy', () => {
    for (const field of ['username', 'host', 'secretName', 'secretKey', 'region', 'serviceAccount']) {
      expect(SetupGuideQuery.safeParse({ [field]: 'x\nHCL\nid' }).success).toBe(false)
    }
    const policy = copies('vault_kv', { secretName: 'x" { } path "y' }).join('\n')
    expect(policy).toContain(`path "secret/data/x\\" { } path \\"y" {`)
  })

  test('gives the shell a name that tries to leave its command as one word', () => {
    const evil = `x'; touch /tmp/y; echo '$(id)`
    const word = `'x'\\''; touch /tmp/y; echo '\\''$(id)'`
    expect(copies('vault_kv', { secretName: evil })[0]).toContain(`-mount=secret ${word} DB_PASSWORD=-`)
    expect(copies('endpoint', { secretName: evil }).join('\n')).toContain(
      `/secrets/x'%3B%20touch%20%2Ftmp%2Fy`.replace("'", `'\\''`),
    )
    expect(copies('aws_secrets_manager', { secretName: evil }).join('\n')).toContain(`--ambient-secret-names ${word}`)
  })
})
