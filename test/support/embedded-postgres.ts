import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { Secret } from '../../src/base/secret.ts'
import { currentUid, ensureOsUser } from '../../src/postgres-server/os-user.ts'
import { claimSocketFolder, claimSocketRoot } from '../../src/postgres-server/socket-folder.ts'
import { clearStalePostmaster } from '../../src/postgres-server/stale-postmaster.ts'
import { type RunningPostgres, startLocalPostgres } from '../../src/postgres-server/start-local-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openStore, type Store } from '../../src/store/store.ts'

/** A throw-away Postgres for one test file. Call `stop` in afterAll. */
export interface EmbeddedPostgres {
  readonly server: RunningPostgres
  /** Makes an empty database and answers its URL. */
  freshDatabase(): Promise<Secret>
  /** A migrated store on a new database; closed by `stop` if the test did not. */
  freshStore(): Promise<Store>
  /** A client of the superuser; the caller ends it. */
  superuser(database?: string): Promise<pg.Client>
  stop(): Promise<void>
}

/** Starts a Postgres in a temporary folder without fsync. Use: `const postgres = await startEmbeddedPostgres()` in beforeAll. */
export async function startEmbeddedPostgres(
  settings: {
    hba?: readonly string[]
    ident?: readonly string[]
    settings?: Record<string, string | number>
    extensions?: Readonly<Record<string, string>>
  } = {},
): Promise<EmbeddedPostgres> {
  await removeOrphans()
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  const osUser = currentUid() === 0 ? await ensureOsUser('postern-meta', () => undefined) : undefined
  const socketRoot = claimSocketRoot(folder)
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true })
    rmSync(socketRoot, { recursive: true, force: true })
  }
  let server: RunningPostgres
  try {
    server = await startLocalPostgres({
      folder: join(folder, 'cluster'),
      socketFolder: claimSocketFolder(socketRoot, 'test', osUser),
      osUser,
      superuserName: 'postgres',
      durable: false,
      ...settings,
    })
  } catch (error) {
    remove()
    throw error
  }
  // The server is in a process group of its own: a test run that is interrupted must not leave it behind.
  const killAtExit = (): void => void process.kill(server.pid, 'SIGQUIT')
  process.once('exit', killAtExit)
  const stores: Store[] = []
  const superuser = async (database = 'postgres'): Promise<pg.Client> => {
    const client = new pg.Client({
      host: server.socketFolder,
      port: server.port,
      user: server.superuserName,
      password: server.superuserPassword.reveal(),
      database,
    })
    await client.connect()
    return client
  }
  const freshDatabase = async (): Promise<Secret> => {
    const name = `test_${randomBytes(6).toString('hex')}`
    const client = await superuser()
    await client.query(`create database ${name}`)
    await client.end()
    return storeUrl(server, name)
  }
  return {
    server,
    freshDatabase,
    superuser,
    async freshStore() {
      const store = await openStore({ url: await freshDatabase(), poolSize: 4, applicationName: 'test' })
      stores.push(store)
      await migrate(store)
      return store
    },
    async stop() {
      process.off('exit', killAtExit)
      await Promise.all(stores.map((store) => store.close()))
      await server.stop()
      remove()
    },
  }
}

const PREFIX = 'postern-test-'

/** A run that was killed could not stop its servers: the next one does, before it adds its own. */
async function removeOrphans(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN)
    if (Number.isNaN(pid) || isAlive(pid)) continue
    const orphan = join(tmpdir(), name)
    const data = join(orphan, 'cluster', 'data')
    if (existsSync(data)) await clearStalePostmaster(data)
    rmSync(orphan, { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function storeUrl(server: RunningPostgres, database: string): Secret {
  const password = encodeURIComponent(server.superuserPassword.reveal())
  return new Secret(
    `postgresql://${server.superuserName}:${password}@localhost/${database}?host=${encodeURIComponent(server.socketFolder)}&port=${server.port}`,
  )
}
