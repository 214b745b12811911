/**
 * The examples for programs, each run past the end of its first credential. The gateway and its check of the end are real; the
 * credentials are issued by the domain function with a clock set back, so that they end after seconds instead of an hour.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { issueDatabaseCredential } from '../../src/access/mint-credential.ts'
import { AuditWriter } from '../../src/audit/audit-writer.ts'
import { systemClock } from '../../src/base/clock.ts'
import { CreateDatabaseCredentialInput } from '../../src/contract/database-credentials.ts'
import { SigningKeys } from '../../src/keys/signing-keys.ts'
import { type GatewayFixture, startGatewayFixture } from '../support/gateway-fixture.ts'
import { repositoryRoot } from '../support/repository.ts'
import { describeWith, JDBC_DRIVER, requireTool, SYSTEM_PYTHON } from '../support/requirements.ts'
import { runProgram } from '../support/running-program.ts'

const lifetimeSeconds = 5
const runSeconds = 6
const ways = ['check-at-each-use', 'background-refresh']
const example = (path: string) => join(repositoryRoot, 'examples', path)

const title = 'an example for programs crosses the end of its credential with no failed login'

describeWith(['psycopg', 'javac', 'jdbc'], title, () => {
  let fixture: GatewayFixture
  let plane: Awaited<ReturnType<typeof startShortLivedControlPlane>>
  let folder: string
  let runs = 0
  beforeAll(async () => {
    fixture = await startGatewayFixture()
    plane = await startShortLivedControlPlane(fixture)
    folder = mkdtempSync(join(tmpdir(), 'rotation-'))
    writeFileSync(join(folder, 'ca.pem'), fixture.caPem)
  }, 120_000)
  afterAll(async () => {
    await plane.stop()
    await fixture.stop()
    rmSync(folder, { recursive: true })
  }, 60_000)

  const run = async (program: string, args: readonly string[]) => {
    const clientSecret = `of the ${(runs += 1)}. program`
    const end = await runProgram(program, args, {
      env: {
        POSTERN_HOST: plane.origin,
        POSTERN_INSTANCE: 'orders',
        POSTERN_CLIENT_ID: fixture.login.clientId,
        POSTERN_CLIENT_SECRET: clientSecret,
        PGHOST: 'localhost',
        PGPORT: String(fixture.gateway.port),
        PGDATABASE: 'postgres',
        PGSSLROOTCERT: join(folder, 'ca.pem'),
        RUN_SECONDS: String(runSeconds),
      },
      timeoutMs: 60_000,
    })
    expect(end).toMatchObject({ code: 0, stderr: '' })
    expect(Number(/^logins=(\d+)$/m.exec(end.stdout)?.[1])).toBeGreaterThan(5)
    expect(plane.issued(clientSecret)).toBeGreaterThan(1)
  }
  const bun = (path: string) => () => run(join(repositoryRoot, 'node_modules/.bin/bun'), [example(path)])

  test.concurrent('[D2-043] node-postgres, checked at each use', bun('node-postgres/check-at-each-use.ts'))
  test.concurrent('[D2-044] node-postgres, renewed in the background', bun('node-postgres/background-refresh.ts'))
  test.concurrent('[D2-042] postgres.js, checked at each use', bun('postgres-js/check-at-each-use.ts'))

  test.concurrent('node-postgres on Node, with the package as it is published', async () => {
    const modules = join(folder, 'node_modules')
    mkdirSync(join(modules, '@postern/client'), { recursive: true })
    const published = join(modules, '@postern/client')
    cpSync(join(repositoryRoot, 'packages/client/package.json'), join(published, 'package.json'))
    for (const name of ['pg', 'postgres']) symlinkSync(join(repositoryRoot, 'node_modules', name), join(modules, name))
    const tsc = join(repositoryRoot, 'node_modules/.bin/tsc')
    const project = join(repositoryRoot, 'packages/client')
    const built = await runProgram(tsc, ['-p', project, '--outDir', join(published, 'dist')], {
      env: {},
      timeoutMs: 60_000,
    })
    expect(built).toMatchObject({ code: 0 })
    // What Node 20 cannot read of the example is the exclamation marks of its types.
    const source = readFileSync(example('node-postgres/check-at-each-use.ts'), 'utf8').replace(
      /(?<=\w)!(?=[,\s)])/g,
      '',
    )
    writeFileSync(join(folder, 'example.mjs'), source)
    await run(requireTool('node'), [join(folder, 'example.mjs')])
  })

  test.concurrent.each(ways)('psycopg, %s', (way) => run(SYSTEM_PYTHON, [example('psycopg/rotate.py'), way]))

  test.concurrent.each(ways)('JDBC, %s', async (way) => {
    const classes = mkdtempSync(join(folder, 'classes-'))
    const compile = ['-cp', JDBC_DRIVER, '-d', classes, example('jdbc/Rotate.java')]
    const compiled = await runProgram(requireTool('javac'), compile, { env: {}, timeoutMs: 60_000 })
    expect(compiled).toMatchObject({ code: 0, stderr: '' })
    await run(requireTool('java'), ['-cp', `${JDBC_DRIVER}:${classes}`, 'Rotate', way])
  })
})

/** The two routes that a program calls, strict about what it sends. The credentials are real, and end after seconds. */
async function startShortLivedControlPlane({ store, instances, login }: GatewayFixture) {
  const { masterKey } = instances.deps
  const signingKeys = await SigningKeys.load(store, masterKey, systemClock)
  const audit = new AuditWriter({ store, deadlineMs: 5_000 })
  const clock = { now: () => new Date(Date.now() - (3600 - lifetimeSeconds) * 1000) }
  const [principal] = await store.db
    .selectFrom('service_principal')
    .select('principal_id')
    .where('client_id', '=', login.clientId)
    .execute()
  if (principal === undefined) throw new Error('no service principal was made')
  const actor = {
    ...instances.admin,
    principalId: principal.principal_id,
    kind: 'service_principal' as const,
    name: login.clientId,
    workspaceRole: 'member' as const,
  }
  /** By secret, and an access token is the secret that it was got for. */
  const issued = new Map<string, number>()
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const [scheme, given = ''] = request.headers.authorization?.split(' ') ?? []
    if (request.method !== 'POST') return undefined
    if (request.url === '/oidc/v1/token' && scheme === 'Basic') {
      const [clientId, secret = ''] = Buffer.from(given, 'base64').toString().split(':')
      if (clientId !== login.clientId || body !== 'grant_type=client_credentials&scope=all-apis') return undefined
      const accessToken = Buffer.from(decodeURIComponent(secret.replaceAll('+', ' '))).toString('hex')
      return { access_token: accessToken, token_type: 'Bearer', expires_in: 3600 }
    }
    if (request.url !== '/v1/databaseCredentials' || scheme !== 'Bearer') return undefined
    const input = CreateDatabaseCredentialInput.parse(JSON.parse(body))
    const { token, expiresAt } = await issueDatabaseCredential({ store, signingKeys, audit, clock }, actor, input)
    const secret = Buffer.from(given, 'hex').toString()
    issued.set(secret, (issued.get(secret) ?? 0) + 1)
    return { token: token.reveal(), expiresAt: expiresAt.toISOString() }
  }
  const server = createServer((request, response) => {
    void answer(request).then(
      (body) => response.writeHead(body === undefined ? 400 : 200).end(JSON.stringify(body ?? {})),
      (error: unknown) => response.writeHead(500).end(JSON.stringify({ error: String(error) })),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    issued: (secret: string) => issued.get(secret) ?? 0,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await audit.close()
    },
  }
}
