import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { loginKeyContext } from '../src/access/login-key-context.ts'
import { LoginKey } from '../src/crypto/login-key.ts'
import { PLAIN_ROUTE } from '../src/dialer/data-source-route.ts'
import { seal } from '../src/crypto/seal.ts'
import type { ControlPlane } from '../test/support/control-plane.ts'
import type { Forge } from '../test/support/forge.ts'
import type { RunningPostern } from '../test/support/running-postern.ts'
import type { TestAuthority } from '../test/support/test-certificates.ts'
import { startChildProgram } from './child-program.ts'
import { readMasterKey } from './read-master-key.ts'
import type { SessionTarget } from './client-session.ts'

/** Where sessions go that have to be many: an upstream that only pretends to be Postgres. */
export interface FakeWays {
  readonly plain: SessionTarget
  readonly tls: SessionTarget
}

const database = 'bench'
/** Stands in the name of its Unix socket. */
export const fakeUpstreamPort = 1

export async function startFakeWays(parts: {
  readonly postern: RunningPostern
  readonly forge: Forge
  readonly authority: TestAuthority
  readonly application: ControlPlane
  /** Where the upstream makes its Unix socket. */
  readonly socketFolder: string
  /** Where the gateway finds the Unix socket. */
  readonly peerFolder: string
  readonly user: string
  readonly onClose: (close: () => unknown) => void
}): Promise<FakeWays> {
  const { postern, forge, authority, application, user } = parts
  const port = fakeUpstreamPort
  const { rows } = await forge.store.pool.query(
    `select b.role_oid::text as role_oid, b.system_identifier from postgres_role_binding b
     join principal p on p.id = b.principal_id join service_principal s on s.principal_id = p.id
     where s.client_id::text = $1`,
    [user],
  )
  const loginKey = LoginKey.generate()
  const socketPath = join(parts.socketFolder, `.s.PGSQL.${port}`)
  const fake = await startChildProgram('fake-upstream.ts', {
    socketPath,
    tls: authority.issue(['localhost']),
    roleOid: rows[0].role_oid,
    systemIdentifier: rows[0].system_identifier,
    verifier: loginKey.verifier(),
  })
  parts.onClose(async () => {
    await fake.stop()
    rmSync(socketPath, { force: true })
  })
  await cloneInstance(forge, 'fake-plain', { host: parts.peerFolder, port, tlsMode: 'disable', tlsCa: null })
  const tlsPort = Number(fake.line)
  await cloneInstance(forge, 'fake-tls', {
    host: 'localhost',
    port: tlsPort,
    tlsMode: 'verify-full',
    tlsCa: authority.caPem,
  })
  await sealLoginKeys(postern, forge, loginKey)
  const through = async (instance: string): Promise<SessionTarget> => ({
    host: `${instance}.postern.localhost`,
    port: postern.ready.gatewayPort,
    user,
    password: await application.mintCredential(instance),
    database,
  })
  return {
    plain: await through('fake-plain'),
    tls: await through('fake-tls'),
  }
}

/** Gives every role binding of the TLS instance this login key, as Postern would seal it. */
async function sealLoginKeys(postern: RunningPostern, forge: Forge, loginKey: LoginKey): Promise<void> {
  const masterKey = readMasterKey(postern)
  const { pool } = forge.store
  const { rows } = await pool.query(
    `select b.id, b.role_name, d.host, d.port, d.database, d.tls_mode, d.tls_ca
     from postgres_role_binding b join instance i on i.id = b.instance_id join data_source d on d.instance_id = i.id
     where i.name = 'fake-tls'`,
  )
  for (const row of rows) {
    const context = loginKeyContext(row.id, {
      ...PLAIN_ROUTE,
      engine: 'postgres',
      host: row.host,
      port: row.port,
      database: row.database,
      username: row.role_name,
      loginMethod: 'password',
      tlsMode: row.tls_mode,
      tlsCa: row.tls_ca,
    })
    const sealed = seal(masterKey, loginKey.toSecret(), context)
    await pool.query('update postgres_role_binding set login_key_sealed = $1 where id = $2', [sealed, row.id])
  }
}

/** A copy of the bench's instance, its role bindings included, that leads elsewhere. */
async function cloneInstance(
  forge: Forge,
  name: string,
  route: { host: string; port: number; tlsMode: 'disable' | 'verify-full'; tlsCa: string | null },
): Promise<void> {
  const { pool } = forge.store
  const { rows } = await pool.query(
    `insert into instance (id, workspace_id, name, kind, engine, state, default_database, system_identifier)
     select gen_random_uuid(), workspace_id, $1, kind, engine, state, default_database, system_identifier
     from instance where name = $2 returning id`,
    [name, database],
  )
  await pool.query(
    `insert into data_source (id, instance_id, name, type, host, port, database, username, tls_mode, tls_ca)
     values (gen_random_uuid(), $1, 'admin', 'admin', $2, $3, $4, 'keeper', $5, $6)`,
    [rows[0].id, route.host, route.port, database, route.tlsMode, route.tlsCa],
  )
  await pool.query(
    `insert into postgres_role_binding (id, instance_id, principal_id, role_name, role_oid, system_identifier)
     select gen_random_uuid(), $1, b.principal_id, b.role_name, b.role_oid, b.system_identifier
     from postgres_role_binding b join instance i on i.id = b.instance_id where i.name = $2`,
    [rows[0].id, database],
  )
}
