import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TlsIdentity } from '../../src/transport/byte-socket.ts'

/** The system's own ClickHouse on 127.0.0.1, as old as the distribution has it. Call `stop` in afterAll. */
export interface ClickHouseServer {
  readonly httpPort: number
  /** Undefined without an identity. */
  readonly httpsPort: number | undefined
  /** Of the native protocol, which Postern does not speak. */
  readonly nativePort: number
  /** May do everything. */
  readonly admin: { readonly username: 'admin'; readonly password: string }
  /** The server itself holds this one to reading (profile readonly=1). */
  readonly reader: { readonly username: 'reader'; readonly password: string }
  /** As `reader`, but may choose settings (profile readonly=2). */
  readonly analyst: { readonly username: 'analyst'; readonly password: string }
  /** Sees the database `shown` alone, and may read and write there. */
  readonly narrow: { readonly username: 'narrow'; readonly password: string }
  /** May do everything, without a password: no other user can log in without TLS. */
  readonly open: { readonly username: 'open'; readonly password: '' }
  /** Runs a statement as admin, past Postern. @throws with the server's own text */
  run(statement: string, database?: string): Promise<string>
  stop(): Promise<void>
}

const START_LIMIT_MS = 60_000

/**
 * Starts Debian's package `clickhouse-server`: name it to describeWith.
 * @param identity certificate of HTTPS
 * @param clientCa PEM of the authority that client certificates must come from
 */
export async function startClickHouse(identity?: TlsIdentity, clientCa?: string): Promise<ClickHouseServer> {
  const home = mkdtempSync(join(tmpdir(), 'clickhouse-'))
  const [httpPort, httpsPort, nativePort, interserverPort] = (await freePorts(4)) as [number, number, number, number]
  for (const folder of ['data', 'tmp', 'files', 'formats']) mkdirSync(join(home, folder))
  writeFileSync(join(home, 'users.xml'), USERS)
  writeFileSync(
    join(home, 'config.xml'),
    configuration({ home, httpPort, httpsPort, nativePort, interserverPort, identity, clientCa }),
  )
  const server = spawn('/usr/sbin/clickhouse-server', [`--config-file=${join(home, 'config.xml')}`], {
    cwd: home,
    env: { PATH: '/usr/bin:/bin', TZ: 'UTC' },
    stdio: 'ignore',
  })
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const killAtExit = (): void => void server.kill('SIGKILL')
  process.once('exit', killAtExit)
  const stop = async (): Promise<void> => {
    process.off('exit', killAtExit)
    server.kill('SIGTERM')
    const forced = setTimeout(() => server.kill('SIGKILL'), 5_000)
    await exited
    clearTimeout(forced)
    rmSync(home, { recursive: true, force: true })
  }
  const run = async (statement: string, database = 'default'): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${httpPort}/?database=${database}`, {
      method: 'POST',
      headers: { 'x-clickhouse-user': 'admin', 'x-clickhouse-key': PASSWORDS.admin },
      body: statement,
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(text)
    return text
  }
  const deadlineAt = Date.now() + START_LIMIT_MS
  for (;;) {
    try {
      await run('SELECT 1')
      await run('CREATE DATABASE shown')
      return {
        httpPort,
        httpsPort: identity && httpsPort,
        nativePort,
        admin: { username: 'admin', password: PASSWORDS.admin },
        reader: { username: 'reader', password: PASSWORDS.reader },
        analyst: { username: 'analyst', password: PASSWORDS.analyst },
        narrow: { username: 'narrow', password: PASSWORDS.narrow },
        open: { username: 'open', password: '' },
        run,
        stop,
      }
    } catch (error) {
      if (Date.now() > deadlineAt || server.exitCode !== null) {
        const log = readLog(home)
        await stop()
        throw new Error(`clickhouse-server did not start: ${log}`, { cause: error })
      }
      await sleep(100)
    }
  }
}

const PASSWORDS = {
  admin: 'p:w <admin> %',
  reader: 'reader-password',
  analyst: 'analyst-password',
  narrow: 'narrow-password',
}
const ESCAPED_ADMIN_PASSWORD = PASSWORDS.admin.replace('<', '&lt;').replace('>', '&gt;')

const USERS = `<yandex>
  <profiles>
    <default><max_threads>1</max_threads></default>
    <readonly><readonly>1</readonly></readonly>
    <analysts><readonly>2</readonly></analysts>
  </profiles>
  <quotas><default/></quotas>
  <users>
    ${user('admin', ESCAPED_ADMIN_PASSWORD, 'default')}
    ${user('reader', PASSWORDS.reader, 'readonly')}
    ${user('analyst', PASSWORDS.analyst, 'analysts')}
    ${user('open', '', 'default')}
    ${user('narrow', PASSWORDS.narrow, 'default', '<allow_databases><database>shown</database></allow_databases>')}
  </users>
</yandex>
`

function user(name: string, password: string, profile: string, more = ''): string {
  return `<${name}><password>${password}</password><networks><ip>127.0.0.1</ip></networks>
      <profile>${profile}</profile><quota>default</quota>${more}</${name}>`
}

function configuration(parts: {
  readonly home: string
  readonly httpPort: number
  readonly httpsPort: number
  readonly nativePort: number
  readonly interserverPort: number
  readonly identity: TlsIdentity | undefined
  readonly clientCa: string | undefined
}): string {
  const { home, identity, clientCa } = parts
  if (identity !== undefined) {
    writeFileSync(join(home, 'server.crt'), identity.certificateChainPem)
    writeFileSync(join(home, 'server.key'), identity.privateKeyPem, { mode: 0o600 })
    writeFileSync(join(home, 'clients.pem'), clientCa ?? identity.certificateChainPem)
  }
  const tls = `<https_port>${parts.httpsPort}</https_port>
  <openSSL><server>
    <certificateFile>${home}/server.crt</certificateFile><privateKeyFile>${home}/server.key</privateKeyFile>
    <caConfig>${home}/clients.pem</caConfig>
    <verificationMode>${clientCa === undefined ? 'none' : 'strict'}</verificationMode>
    <loadDefaultCAFile>false</loadDefaultCAFile><disableProtocols>sslv2,sslv3</disableProtocols>
  </server></openSSL>`
  return `<yandex>
  <logger><level>warning</level><log>${home}/log</log><errorlog>${home}/errors</errorlog></logger>
  <http_port>${parts.httpPort}</http_port>
  <tcp_port>${parts.nativePort}</tcp_port>
  <interserver_http_port>${parts.interserverPort}</interserver_http_port>
  ${identity === undefined ? '' : tls}
  <listen_host>127.0.0.1</listen_host>
  <max_connections>64</max_connections><keep_alive_timeout>3</keep_alive_timeout>
  <uncompressed_cache_size>8388608</uncompressed_cache_size><mark_cache_size>8388608</mark_cache_size>
  <path>${home}/data/</path><tmp_path>${home}/tmp/</tmp_path><user_files_path>${home}/files/</user_files_path>
  <format_schema_path>${home}/formats/</format_schema_path>
  <users_config>${home}/users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <timezone>UTC</timezone><mlock_executable>false</mlock_executable>
  <query_log><database>system</database><table>query_log</table></query_log>
</yandex>
`
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function readLog(home: string): string {
  try {
    return readFileSync(join(home, 'errors'), 'utf8').slice(-2_000)
  } catch {
    return 'no log'
  }
}
