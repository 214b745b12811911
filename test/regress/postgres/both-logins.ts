import { join } from 'node:path'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { libpqEnvironment } from '../../support/psql.ts'
import { startPostern } from '../../support/running-postern.ts'
import { runProgram } from '../../support/running-program.ts'
import { createTestAuthority } from '../../support/test-certificates.ts'
import { SnapshotCluster } from './snapshot-cluster.ts'

const instance = 'own-suites'
const adminPassword = 'admin source password 4be1'
const loginLimitMs = 30_000

/** Two ways to the same Postgres role of one cluster. */
export interface BothLogins {
  /** What libpq reads: by TLS straight to the server, or through the gateway with a database credential as the password. */
  readonly environments: Readonly<Record<'direct' | 'gateway', Record<string, string>>>
  /** Puts the cluster back to its first state, and waits until both ways lead in. */
  restore(): Promise<void>
  stop(): Promise<void>
}

/**
 * A cluster of Debian's Postgres, connected to Postern as an external instance, and a service principal that is bound to a
 * Postgres role there. Behind Postern's back the role is then made a superuser, which the suites demand: the gateway asks who
 * the role is, not what it may.
 *
 * @param bin folder of the server's programs
 * @param databases made for the role, with the settings that pg_regress gives its own
 */
export async function startBothLogins(bin: string, home: string, databases: readonly string[]): Promise<BothLogins> {
  const authority = createTestAuthority('upstream authority')
  const tls = authority.issue(['localhost', '127.0.0.1'])
  const cluster = await SnapshotCluster.start(bin, home, await freePort(), tls)
  const superuser = await cluster.superuser()
  await superuser.query(`create role keeper login createrole createdb password '${adminPassword}'`)
  const postern = await startPostern({ lifetimeMs: 60 * 60_000 })
  const admin = await postern.asAdmin()
  const { clientId: user, clientSecret } = await admin.createServicePrincipal('own suites')
  const adminDataSource = {
    host: '127.0.0.1',
    port: cluster.port,
    database: 'postgres',
    username: 'keeper',
    password: adminPassword,
    tlsMode: 'disable',
  }
  await admin.expect('POST', '/v1/instances', { kind: 'external', name: instance, adminDataSource })
  const { gatewayHost } = await admin.waitForInstance(instance, 'AVAILABLE')
  await admin.bindPostgresRole(instance, user)
  await superuser.query(`alter role "${user}" superuser`)
  for (const database of databases) {
    await superuser.query(`create database ${database} owner "${user}" template template0`)
    for (const setting of databaseSettings) await superuser.query(`alter database ${database} set ${setting}`)
  }
  await superuser.end()
  await cluster.keep()
  const credential = await (await postern.asServicePrincipal(user, clientSecret)).mintCredential(instance)

  const database = databases[0] as string
  const direct = { host: 'localhost', port: cluster.port, user, database, sslrootcert: authority.caFile }
  const gateway = postern.libpqTarget({ gatewayHost }, { user, password: credential, database })
  const environments = {
    direct: { ...libpqEnvironment(direct), HOME: home },
    gateway: { ...libpqEnvironment(gateway), HOME: home },
  }
  // The server itself says which way a session came: by TLS straight from libpq, in clear from Postern.
  const waitForLogin = async (way: 'direct' | 'gateway'): Promise<void> => {
    const sql = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
    const deadlineAt = Date.now() + loginLimitMs
    for (;;) {
      const psql = await runProgram(join(bin, 'psql'), ['-XAtc', sql], { env: environments[way] })
      const { code, stdout, stderr } = psql
      if (code === 0 && stdout.trim() === (way === 'direct' ? 't' : 'f')) return
      if (Date.now() > deadlineAt) throw new Error(`no login, ${way}: ${stdout}${stderr}`)
      await sleep(200)
    }
  }
  return {
    environments,
    async restore() {
      await cluster.restore()
      await waitForLogin('direct')
      await waitForLogin('gateway')
    },
    async stop() {
      await postern.stop()
      await cluster.stop()
      authority.remove()
    },
  }
}

/** What pg_regress sets on a database that it makes itself. */
const databaseSettings = [
  `lc_messages to 'C'`,
  `lc_monetary to 'C'`,
  `lc_numeric to 'C'`,
  `lc_time to 'C'`,
  `bytea_output to 'hex'`,
  `timezone_abbreviations to 'Default'`,
]

/** Free a moment ago; nothing on a test machine takes ports that fast. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
