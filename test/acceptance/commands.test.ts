/**
 * The command line as people use it: each folder of `cli/` holds a shell `script` and, in `output.txt`, everything that it
 * shows. Ids, times, ports and secrets are masked. `npm test -- acceptance -u` writes output.txt anew; read the difference.
 */
import { randomBytes } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { repositoryRoot } from '../support/repository.ts'
import { describeWith } from '../support/requirements.ts'
import { startPostern, temporaryFolder, type RunningPostern } from '../support/running-postern.ts'
import { runProgram } from '../support/running-program.ts'
import { createTestAuthority } from '../support/test-certificates.ts'
import { startUpstreamPostgres } from '../support/upstream-postgres.ts'
import { maskOutput } from './mask-output.ts'

const scripts = join(import.meta.dirname, 'cli')

describeWith(['psql', 'openssl'], 'the command line', () => {
  let postern: RunningPostern
  let external: ExternalPostgres
  beforeAll(async () => {
    postern = await startPostern()
    external = await startExternalPostgres()
  }, 120_000)
  afterAll(async () => {
    await external.stop()
    await postern.stop()
  }, 60_000)

  it.each(readdirSync(scripts).toSorted())(
    '%s shows what its output.txt says',
    async (name) => {
      const home = temporaryFolder('acceptance-')
      const work = join(home, 'work')
      mkdirSync(work)
      writeFileSync(join(home, 'prelude'), prelude)
      const { httpUrl, adminEmail, adminPasswordFile, gatewayPort } = postern.ready
      const env = {
        HOME: home,
        PATH: [join(repositoryRoot, 'bin'), process.env['PATH'] ?? ''].join(delimiter),
        LC_ALL: 'C.UTF-8',
        POSTERN_HOST: httpUrl,
        ADMIN_EMAIL: adminEmail,
        ADMIN_PASSWORD_FILE: adminPasswordFile,
        ...external.variables,
      }
      const script = `. "$HOME/prelude"\n. "${join(scripts, name, 'script')}"`
      const { stdout, stderr } = await runProgram('sh', ['-c', script], { env, cwd: work, timeoutMs: 110_000 })
      expect(stderr).toBe('')
      const shown = maskOutput(stdout, {
        [httpUrl]: '[HOST]',
        [postern.dataDir]: '[DATA]',
        [external.folder]: '[EXTERNAL]',
        [external.variables.EXTERNAL_PORT]: '[EXTERNAL_PORT]',
        [String(gatewayPort)]: '[GATEWAY_PORT]',
      })
      rmSync(home, { recursive: true })
      await expect(shown).toMatchFileSnapshot(join(scripts, name, 'output.txt'))
    },
    120_000,
  )
})

type ExternalPostgres = Awaited<ReturnType<typeof startExternalPostgres>>

/** Somebody else's Postgres with TLS, and the user of an admin data source on it. */
async function startExternalPostgres() {
  const folder = temporaryFolder('external-')
  const authority = createTestAuthority('External authority')
  const hba = ['hostssl all all 127.0.0.1/32 scram-sha-256']
  const upstream = await startUpstreamPostgres({ tls: authority.issue(['localhost']), hba })
  const password = randomBytes(12).toString('hex')
  const superuser = await upstream.superuser()
  await superuser.query(`create role dba login createrole createdb password '${password}'`)
  await superuser.end()
  writeFileSync(join(folder, 'password'), `${password}\n`)
  cpSync(authority.caFile, join(folder, 'ca.pem'))
  authority.remove()
  return {
    folder,
    variables: {
      EXTERNAL_PORT: String(upstream.port),
      EXTERNAL_PASSWORD_FILE: join(folder, 'password'),
      EXTERNAL_CA_FILE: join(folder, 'ca.pem'),
    },
    stop: async () => {
      await upstream.stop()
      rmSync(folder, { recursive: true })
    },
  }
}

/** `run` shows a command, everything it says, and its exit status where that is not 0. `sign_in` signs the admin in. */
const prelude = `
run() {
  printf '\\n$ %s\\n' "$*"
  status=0
  "$@" 2>&1 || status=$?
  [ "$status" = 0 ] || echo "[exit $status]"
}
sign_in() {
  postern login --email "$ADMIN_EMAIL" --password-file "$ADMIN_PASSWORD_FILE" 2>/dev/null
}
client_id_of() {
  postern service-principal list | awk -v name="$1" '$2 == name { print $1 }'
}
`
