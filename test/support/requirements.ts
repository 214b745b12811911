import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, it } from 'vitest'

/** The driver of JDBC, as Debian's `libpostgresql-jdbc-java` brings it. */
export const JDBC_DRIVER = '/usr/share/java/postgresql.jar'
/** The Python that Debian's `python3-…` packages are for; another one may come first in PATH. */
export const SYSTEM_PYTHON = '/usr/bin/python3'

/** Comes with Debian's `postgresql-client`, which is newer or older than the Postgres that it tests. */
export const ISOLATION_TESTER =
  globSync('/usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester').at(-1) ?? 'isolationtester'

/** Folder of the Spanner emulator in Google's Cloud SDK. */
export const SPANNER_EMULATOR = '/usr/lib/google-cloud-sdk/bin/cloud_spanner_emulator'

/** A command that succeeds where the program works. Debian's psql and pgbench are wrappers that may stand there without it. */
const probes = {
  psql: ['psql', '--version'],
  pgbench: ['pgbench', '--version'],
  openssl: ['openssl', 'version'],
  chromium: ['chromium', '--version'],
  mariadbd: ['/usr/sbin/mariadbd', '--version'],
  sshd: ['test', '-x', '/usr/sbin/sshd'],
  'clickhouse-server': ['test', '-x', '/usr/sbin/clickhouse-server'],
  'spanner-emulator': ['test', '-x', `${SPANNER_EMULATOR}/emulator_main`],
  moto_server: ['moto_server', '--help'],
  javac: ['javac', '--version'],
  jdbc: ['test', '-f', JDBC_DRIVER],
  'systemd-analyze': ['systemd-analyze', '--version'],
  psycopg: [SYSTEM_PYTHON, '-c', 'import psycopg'],
  isolationtester: [ISOLATION_TESTER, '-V'],
} as const satisfies Record<string, readonly [command: string, ...args: string[]]>

/** Something of the operating system that some tests use. tools/setup.mjs installs them where it may. */
export type SystemTool = keyof typeof probes

/** No package of the operating system brings these, so a machine may be without. */
const notFromDebian: ReadonlySet<SystemTool> = new Set(['spanner-emulator', 'moto_server'])

/** Everything must run: a missing program is a failure, not a reason to skip. */
const everythingRequired = process.env['CI'] === 'true' || process.env['POSTERN_REQUIRE_ALL'] === '1'

/**
 * `describe` for tests that call programs of the operating system. Where one is missing the block is skipped with the
 * reason in its title, or fails when everything is required.
 */
export function describeWith(tools: readonly SystemTool[], title: string, body: () => void): void {
  const missing = tools.filter((tool) => !works(tool))
  const reason = `${missing.join(', ')} not installed`
  if (missing.length === 0) {
    describe(title, body)
  } else if (everythingRequired && !missing.every((tool) => notFromDebian.has(tool))) {
    it(title, () => {
      throw new Error(`${reason}, though every test is required: run \`node tools/setup.mjs --tests\``)
    })
  } else {
    describe.skip(`${title} (skipped: ${reason})`, body)
  }
}

/**
 * Path of a program.
 * @throws when it is not installed: call it inside {@link describeWith}
 */
export function requireTool(tool: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const path = folders.map((folder) => join(folder, tool)).find((candidate) => existsSync(candidate))
  if (path === undefined) throw new Error(`${tool} is not installed`)
  return path
}

function works(tool: SystemTool): boolean {
  const [command, ...args] = probes[tool]
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
