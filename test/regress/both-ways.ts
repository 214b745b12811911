import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { libpqEnvironment } from '../support/psql.ts'
import { type RunningPostern, startPostern } from '../support/running-postern.ts'
import { type ProgramEnd, runProgram } from '../support/running-program.ts'
import { createTestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres } from '../support/upstream-postgres.ts'

const database = 'regress'
const instance = 'regress-db'
const adminPassword = 'admin source password 7f3a'

/** One Postgres with two ways to the same role and database. */
export interface BothWays {
  /** How libpq gets there: by a socket of its own, or through the gateway with a credential. */
  readonly environments: Readonly<Record<'direct' | 'gateway', Record<string, string>>>
  readonly postern: RunningPostern
  readonly login: {
    readonly user: string
    readonly credential: string
    readonly directPort: number
    readonly directCa: string
  }
  /** Runs a program once each way, each time in a database that was just made, and in an empty folder. */
  run(command: string, args: readonly string[], input?: string): Promise<{ direct: ProgramEnd; gateway: ProgramEnd }>
  /** Makes the database anew. */
  reset(): Promise<void>
  stop(): Promise<void>
}

/**
 * An external Postgres, connected to Postern, and a service principal that is bound to a role there. By TLS it lets that role
 * in without a password: this is the direct way, so that the client has TLS both times. Postern comes in clear.
 */
export async function startBothWays(): Promise<BothWays> {
  const authority = createTestAuthority('upstream authority')
  const upstream = await startUpstreamPostgres({
    tls: authority.issue(['localhost', '127.0.0.1']),
    hba: ['hostnossl all all 127.0.0.1/32 scram-sha-256', 'hostssl all +direct 127.0.0.1/32 trust'],
  })
  const superuser = await upstream.superuser()
  await superuser.query(`create role keeper login createrole createdb password '${adminPassword}'`)
  await superuser.query(`create database ${database}`)
  const postern = await startPostern()
  const admin = await postern.asAdmin()
  const { clientId: user, clientSecret } = await admin.createServicePrincipal('regress')
  const adminDataSource = {
    host: '127.0.0.1',
    port: upstream.port,
    database,
    username: 'keeper',
    password: adminPassword,
    tlsMode: 'disable',
  }
  await admin.expect('POST', '/v1/instances', { kind: 'external', name: instance, adminDataSource })
  const { gatewayHost } = await admin.waitForInstance(instance, 'AVAILABLE')
  await admin.bindPostgresRole(instance, user)
  await superuser.query('create role direct')
  await superuser.query(`grant direct to "${user}"`)
  await superuser.query(`grant set on parameter deadlock_timeout to "${user}"`)
  const credential = await (await postern.asServicePrincipal(user, clientSecret)).mintCredential(instance)

  const same = { PGTZ: 'PST8PDT', PGDATESTYLE: 'Postgres, MDY', LC_ALL: 'C.UTF-8' }
  const environments = {
    direct: {
      ...libpqEnvironment({ host: 'localhost', port: upstream.port, user, database, sslrootcert: authority.caFile }),
      ...same,
    },
    gateway: {
      ...libpqEnvironment(postern.libpqTarget({ gatewayHost }, { user, password: credential, database })),
      ...same,
    },
  }
  const reset = async (): Promise<void> => {
    await superuser.query(`drop database ${database} with (force)`)
    await superuser.query(`create database ${database} owner "${user}" template template0`)
  }
  const runOnce = async (way: 'direct' | 'gateway', command: string, args: readonly string[], input?: string) => {
    await reset()
    const cwd = mkdtempSync(join(tmpdir(), 'regress-'))
    try {
      const env = environments[way]
      return await runProgram(command, args, { env, cwd, timeoutMs: 60_000, ...(input !== undefined && { input }) })
    } finally {
      rmSync(cwd, { recursive: true, force: true })
    }
  }
  return {
    environments,
    postern,
    login: { user, credential, directPort: upstream.port, directCa: authority.caPem },
    reset,
    run: async (command, args, input) => ({
      direct: await runOnce('direct', command, args, input),
      gateway: await runOnce('gateway', command, args, input),
    }),
    async stop() {
      await superuser.end()
      await postern.stop()
      await upstream.stop()
      authority.remove()
    },
  }
}
