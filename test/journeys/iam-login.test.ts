import { copyFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ControlPlane } from '../support/control-plane.ts'
import { type DebianPostgres, startDebianPostgres } from '../support/debian-postgres.ts'
import { FakeAzure } from '../support/fake-azure.ts'
import { type MariadbServer, startMariadb } from '../support/mariadb-server.ts'
import { psql } from '../support/psql.ts'
import { describeWith } from '../support/requirements.ts'
import { runProgram } from '../support/running-program.ts'
import { type RunningPostern, startPostern, temporaryFolder } from '../support/running-postern.ts'
import { SshdServer } from '../support/sshd-server.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { canCheckTokens, installTokenCheck, type TokenCheck } from '../support/token-check.ts'

interface Report {
  readonly ok: boolean
  readonly stages: readonly {
    readonly stage: string
    readonly ok: boolean
    readonly code?: string
    readonly message?: string
    readonly action?: string
    readonly detail?: Readonly<Record<string, unknown>>
  }[]
}

const launcher = join(import.meta.dirname, '../../bin/postern')
const region = 'eu-central-1'
const entered = { accessKeyId: 'AKIAENTERED0000000001', secretAccessKey: 'entered/secret+key/4b1d' }
const entraApplication = {
  tenantId: 'contoso.test',
  clientId: '7a1f0f0e-0000-4000-8000-00000000000a',
  secret: 'entra/secret~4c',
}
const ambient = { accessKeyId: 'AKIAAMBIENT0000000001', secretAccessKey: 'ambient/secret+key/9e07' }

/**
 * Databases that take no password but a token of AWS IAM, as RDS and Aurora do, or of Microsoft Entra, as Azure Database does: a
 * PostgreSQL and a MariaDB that hand what they are given to a check of its own. Nowhere in Postern or in them is there a password.
 */
describeWith(['psql', 'pgbench', 'openssl', 'mariadbd', 'sshd'], 'a database that asks for an IAM token', () => {
  let authority: TestAuthority
  let check: TokenCheck
  let azure: FakeAzure
  let postgres: DebianPostgres
  let mariadb: MariadbServer
  let sshd: SshdServer
  let postern: RunningPostern
  let admin: ControlPlane
  let folder: string

  beforeAll(async () => {
    if (!canCheckTokens) return
    authority = createTestAuthority('iam authority')
    check = installTokenCheck()
    const tls = authority.issue(['localhost', '127.0.0.1'])
    const hba = [
      `hostssl all bytebase 127.0.0.1/32 pam pamservice=${check.service}`,
      'hostssl all all 127.0.0.1/32 scram-sha-256',
    ]
    ;[postgres, mariadb] = await Promise.all([
      startDebianPostgres({ tls, hba }),
      startMariadb({ identity: tls, settings: ['--plugin-load-add=auth_pam', '--pam-use-cleartext-plugin=ON'] }),
    ])
    sshd = await SshdServer.start({ settings: ['AddressFamily inet'] })
    const superuser = await postgres.superuser()
    await superuser.query('create role bytebase login createrole createdb')
    await superuser.query('create database orders owner bytebase')
    await superuser.end()
    await mariadb.run(
      'create database shop',
      `create user bytebase@'%' identified via pam using '${check.service}'`,
      `alter user bytebase@'%' require ssl`,
      `grant all on *.* to bytebase@'%'`,
    )
    const entraTokens: Record<string, string> = {}
    const allow = (): void =>
      check.allow({
        endpoints: [postgres.port, mariadb.port].flatMap((port) => [`127.0.0.1:${port}`, `localhost:${port}`]),
        region,
        keys: Object.fromEntries([entered, ambient].map((key) => [key.accessKeyId, key.secretAccessKey])),
        entraTokens,
      })
    allow()
    azure = new FakeAzure()
    const authorityHost = await azure.start()
    azure.applications.set(entraApplication.clientId, entraApplication)
    azure.onToken = (token, clientId, scope) => {
      const isForDatabases = scope.endsWith('//ossrdbms-aad.database.windows.net/.default')
      if (isForDatabases && clientId === entraApplication.clientId) entraTokens[token] = 'bytebase'
      allow()
    }
    folder = temporaryFolder('iam-files-')
    copyFileSync(authority.caFile, join(folder, 'ca.pem'))
    writeFileSync(join(folder, 'key.json'), JSON.stringify(entered), { mode: 0o600 })
    postern = await startPostern({
      flags: ['--ambient-iam-hosts', '127.0.0.1', '--tls-file-dirs', folder],
      env: {
        AWS_ACCESS_KEY_ID: ambient.accessKeyId,
        AWS_SECRET_ACCESS_KEY: ambient.secretAccessKey,
        AWS_REGION: region,
        AZURE_AUTHORITY_HOST: authorityHost,
        AZURE_TENANT_ID: entraApplication.tenantId,
        AZURE_CLIENT_ID: entraApplication.clientId,
        AZURE_CLIENT_SECRET: entraApplication.secret,
      },
    })
    admin = await postern.asAdmin()
  }, 120_000)
  afterAll(async () => {
    await postern?.stop()
    await Promise.all([postgres?.stop(), mariadb?.stop(), sshd?.stop(), azure?.stop()])
    check?.remove()
    authority?.remove()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  const source = (change: Record<string, unknown> = {}) => ({
    host: '127.0.0.1',
    port: postgres.port,
    database: 'orders',
    username: 'bytebase',
    loginMethod: 'aws_iam',
    fields: { awsRegion: region },
    awsCredentials: JSON.stringify(entered),
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
    ...change,
  })
  const withoutKey = (change: Record<string, unknown> = {}) => {
    const { awsCredentials: _, tlsCa: __, ...rest } = source(change)
    return { ...rest, tlsFiles: { ca: join(folder, 'ca.pem') } }
  }
  const tested = (dataSource: Record<string, unknown>, engine = 'postgres') =>
    admin.expect<Report>('POST', '/v1/instances:testConnection', { engine, dataSource })

  test.skipIf(!canCheckTokens)(
    '[D1-034] [D1-036] [D1-065] a person’s credential opens a session on an instance that has no password anywhere',
    async () => {
      const created = await admin.createServicePrincipal('order report')
      const application = await postern.asServicePrincipal(created.clientId, created.clientSecret)
      const instance = await admin.expect('POST', '/v1/instances', {
        kind: 'external',
        name: 'orders-db',
        adminDataSource: source(),
      })
      expect(instance).toMatchObject({
        state: 'AVAILABLE',
        dataSources: [{ loginMethod: 'aws_iam', passwordSet: false, awsCredentialsSet: true, username: 'bytebase' }],
      })
      expect(JSON.stringify(instance)).not.toContain(entered.secretAccessKey)
      await admin.bindPostgresRole('orders-db', created.clientId)
      const login = {
        user: created.clientId,
        password: await application.mintCredential('orders-db'),
        database: 'orders',
      }
      const target = postern.libpqTarget({ gatewayHost: 'orders-db.postern.localhost' }, login)
      expect(await psql(target, 'select session_user, current_database()')).toMatchObject({
        code: 0,
        stdout: `${created.clientId}|orders\n`,
      })
      const superuser = await postgres.superuser()
      const { rows } = await superuser.query(`select rolpassword from pg_authid where rolname = 'bytebase'`)
      await superuser.end()
      expect(rows).toEqual([{ rolpassword: null }])
    },
  )

  test.skipIf(!canCheckTokens)('[D1-037] tells which token it logs in with, stage by stage', async () => {
    const { ok, stages } = await tested(source({ fields: {} }))
    expect({ ok, stages: stages.map(({ stage }) => stage) }).toEqual({
      ok: true,
      stages: ['secret', 'name', 'tcp', 'tls', 'login', 'version', 'privileges'],
    })
    expect(stages[0]?.detail).toMatchObject({
      token: `AWS IAM token for bytebase at 127.0.0.1, region ${region}`,
    })
  })

  test.skipIf(!canCheckTokens)(
    '[D1-063] MariaDB, whose user takes tokens alone, is logged in to and queried in the same way',
    async () => {
      const mysqlSource = source({ port: mariadb.port, database: 'shop' })
      const report = await tested(mysqlSource, 'mariadb')
      expect(report).toMatchObject({ ok: true, user: 'bytebase@%' })
      const instance = await admin.expect('POST', '/v1/instances', {
        kind: 'external',
        name: 'shop-db',
        engine: 'mariadb',
        adminDataSource: mysqlSource,
      })
      expect(instance).toMatchObject({ state: 'AVAILABLE' })
    },
  )

  test.skipIf(!canCheckTokens)(
    '[D1-059] [D1-060] [D1-061] the AWS variables that Postern was started with log in, to hosts that its operator lists',
    async () => {
      const { awsRegion: _, ...fields } = { awsRegion: region }
      expect(await tested(withoutKey({ fields }))).toMatchObject({ ok: true })
      expect(await tested(withoutKey({ port: mariadb.port, database: 'shop', fields }), 'mysql')).toMatchObject({
        ok: true,
      })
      const elsewhere = await tested(withoutKey({ host: 'localhost' }))
      expect(elsewhere.stages).toEqual([
        expect.objectContaining({ stage: 'secret', ok: false, code: 'SECRET_SOURCE_REFUSED' }),
      ])
      expect(elsewhere.stages[0]?.action).toContain('ambientIamHosts')
    },
  )

  test.skipIf(!canCheckTokens)('through an SSH server the token is for the database’s own host and port', async () => {
    const hop = {
      host: '127.0.0.1',
      port: sshd.port,
      username: sshd.username,
      auth: 'private_key',
      privateKey: sshd.clientKey,
      hostKey: sshd.fingerprints.ed25519,
    }
    const { ok, stages } = await tested(source({ ssh: [hop] }))
    expect(ok, JSON.stringify(stages)).toBe(true)
    expect(stages.map(({ stage }) => stage)).toContain('ssh_forward')
    expect(stages[0]?.detail?.['token']).toBe(`AWS IAM token for bytebase at 127.0.0.1, region ${region}`)
  })

  test.skipIf(!canCheckTokens)('a token that the database does not take says what to look at', async () => {
    const wrong = { ...entered, secretAccessKey: 'another' }
    for (const [dataSource, engine] of [
      [source({ awsCredentials: JSON.stringify(wrong) }), 'postgres'],
      [source({ fields: { awsRegion: 'us-east-1' } }), 'postgres'],
      [source({ awsCredentials: JSON.stringify(wrong), port: mariadb.port, database: '' }), 'mariadb'],
    ] as const) {
      const failed = (await tested(dataSource, engine)).stages.at(-1)
      expect(failed).toMatchObject({ stage: 'login', ok: false, code: 'UPSTREAM_AUTH_FAILED' })
      expect(failed?.message).toContain('AWS IAM token for bytebase at 127.0.0.1, region')
      expect(failed?.action).toContain('rds-db:connect')
    }
  })

  test.skipIf(!canCheckTokens)('a token goes to no server that TLS has not verified', async () => {
    const refusals: [Record<string, unknown>, string][] = [
      [{ tlsMode: 'require', tlsCa: null }, 'tlsMode'],
      [{ tlsMode: 'disable', tlsCa: null }, 'tlsMode'],
      [{ password: 'x' }, 'password'],
      [{ awsCredentials: undefined }, 'tlsCa'],
      [{ awsCredentials: 'text' }, 'awsCredentials'],
      [{ fields: { awsExternalId: 'ours' } }, 'awsExternalId'],
    ]
    for (const [change, field] of refusals) {
      const { status, body } = await admin.send('POST', '/v1/instances:testConnection', {
        engine: 'postgres',
        dataSource: Object.fromEntries(Object.entries(source(change)).filter(([, value]) => value !== null)),
      })
      expect({ status, code: body['code'], detail: body['detail'] }, field).toMatchObject({
        status: 400,
        code: 'INVALID_ARGUMENT',
        detail: expect.stringContaining(field),
      })
    }
    const stranger = createTestAuthority('stranger')
    expect((await tested(source({ tlsCa: stranger.caPem }))).stages.at(-1)).toMatchObject({
      stage: 'tls',
      code: 'UPSTREAM_TLS_UNTRUSTED',
    })
    stranger.remove()
  })

  test.skipIf(!canCheckTokens)('the command line takes the access key from a file', async () => {
    const words = `instance create by-hand --validate-only --host-name 127.0.0.1 --port ${postgres.port} --database orders`
    const login = `--username bytebase --login-method aws_iam --field awsRegion=${region} --aws-credentials-file`
    const args = [...`${words} ${login}`.split(' '), join(folder, 'key.json'), '--tls-ca-file', join(folder, 'ca.pem')]
    const { clientId, clientSecret } = await admin.createServicePrincipal('dba', 'dba')
    const env = {
      HOME: folder,
      POSTERN_HOST: postern.ready.httpUrl,
      POSTERN_CLIENT_ID: clientId,
      POSTERN_CLIENT_SECRET: clientSecret,
    }
    const end = await runProgram(launcher, args, { env })
    expect(end, end.stderr).toMatchObject({ code: 0 })
    expect(end.stdout).toContain(`AWS IAM token for bytebase at 127.0.0.1, region ${region}`)
  })

  const entraSource = (change: Record<string, unknown> = {}) => {
    const { awsCredentials: _, ...rest } = source()
    return {
      ...rest,
      loginMethod: 'azure_entra',
      fields: { azureTenantId: entraApplication.tenantId, azureClientId: entraApplication.clientId },
      azureClientSecret: entraApplication.secret,
      ...change,
    }
  }

  test.skipIf(!canCheckTokens)(
    'a token of Microsoft Entra logs in to PostgreSQL and MySQL, and through the gateway',
    async () => {
      const token = `Microsoft Entra token of the application ${entraApplication.clientId} for bytebase at 127.0.0.1`
      const report = await tested(entraSource())
      expect(report.ok, JSON.stringify(report.stages)).toBe(true)
      expect(report.stages[0]?.detail).toEqual({ token, origin: 'fetched' })
      expect(await tested(entraSource({ port: mariadb.port, database: 'shop' }), 'mysql')).toMatchObject({ ok: true })
      const instance = { kind: 'external', name: 'azure-db', adminDataSource: entraSource() }
      expect(await admin.expect('POST', '/v1/instances', instance)).toMatchObject({
        state: 'AVAILABLE',
        dataSources: [{ passwordSet: false, azureClientSecretSet: true }],
      })
      const created = await admin.createServicePrincipal('azure report')
      const client = await postern.asServicePrincipal(created.clientId, created.clientSecret)
      await admin.bindPostgresRole('azure-db', created.clientId)
      const login = { user: created.clientId, password: await client.mintCredential('azure-db'), database: 'orders' }
      const target = postern.libpqTarget({ gatewayHost: 'azure-db.postern.localhost' }, login)
      expect(await psql(target, 'select session_user')).toMatchObject({ code: 0, stdout: `${created.clientId}\n` })
    },
  )

  test.skipIf(!canCheckTokens)(
    'the application of this node logs in to hosts that its operator lists, and what fails says why',
    async () => {
      const ofNode = {
        azureClientSecret: undefined,
        tlsCa: undefined,
        tlsFiles: { ca: join(folder, 'ca.pem') },
        fields: {},
      }
      expect(await tested(entraSource(ofNode))).toMatchObject({ ok: true })
      const failures: [Record<string, unknown>, string, string, string][] = [
        [entraSource({ ...ofNode, host: 'localhost' }), 'secret', 'SECRET_SOURCE_REFUSED', 'ambientIamHosts'],
        [entraSource({ azureClientSecret: 'expired' }), 'secret', 'SECRET_SOURCE_DENIED', 'a secret may have expired'],
        [entraSource({ username: 'postgres' }), 'login', 'UPSTREAM_AUTH_FAILED', 'pgaadauth_create_principal'],
      ]
      for (const [dataSource, stage, code, action] of failures) {
        const failed = (await tested(dataSource)).stages.at(-1)
        expect(failed).toMatchObject({ stage, ok: false, code })
        expect(failed?.action).toContain(action)
      }
    },
  )

  test.skipIf(!canCheckTokens)('neither keys nor tokens are in logs, audit or answers', async () => {
    const said = [
      postern.logs(),
      JSON.stringify(await admin.expect('GET', '/v1/auditEvents?pageSize=200')),
      JSON.stringify(await admin.expect('GET', '/v1/instances/orders-db')),
    ].join('\n')
    const secrets = [entered.secretAccessKey, ambient.secretAccessKey, entraApplication.secret, 'X-Amz-Signature']
    for (const secret of secrets) {
      expect(said).not.toContain(secret)
    }
  })
})
