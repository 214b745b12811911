import { randomUUID } from 'node:crypto'
import { FakeVault } from '../../test/support/fake-vault.ts'
import { startPostern } from '../../test/support/running-postern.ts'
import { runSql } from '../../test/support/sql-client.ts'
import { startUpstreamPostgres } from '../../test/support/upstream-postgres.ts'
import type { Effort } from '../effort.ts'
import { type Spread, spreadOf } from '../spread.ts'
import type { Stage } from '../stage.ts'

export interface SecretFigures {
  /** Of the manager, for one data source and one time to live, in the one process that opens the sessions. */
  readonly fetchesPerTtl: Spread
  readonly sessionsPerSecond: Spread
}

const ttlSeconds = 2
const atOnce = 8

/** Sessions of a data source whose password lives in a secret manager, opened by eight at a time: how often the manager is asked. */
export async function secretFetches(_stage: Stage, { rounds, seconds }: Effort): Promise<SecretFigures> {
  const vault = new FakeVault()
  const [password, token] = [randomUUID(), `hvs.${randomUUID()}`]
  const [postern, upstream, url] = await Promise.all([
    startPostern({ flags: ['--secret-ttl-seconds', String(ttlSeconds)] }),
    startUpstreamPostgres({ hba: ['host all keeper 127.0.0.1/32 scram-sha-256'] }),
    vault.start(),
  ])
  try {
    const superuser = await upstream.superuser()
    await superuser.query(`create role keeper login createrole createdb password '${password}'`)
    await superuser.end()
    vault.secrets.set('secret/bench', [{ PASSWORD: password }])
    vault.addToken(token, ['secret/data/bench'])
    const auth = { method: 'token', token: { from: 'literal', value: token } }
    const place = { engineName: 'secret', path: 'bench', key: 'PASSWORD' }
    const admin = await postern.asAdmin()
    await admin.expect('POST', '/v1/instances', {
      kind: 'external',
      name: 'referenced',
      adminDataSource: {
        host: '127.0.0.1',
        port: upstream.port,
        username: 'keeper',
        tlsMode: 'disable',
        externalSecrets: { password: { source: 'vault_kv', url, auth, ...place } },
      },
    })
    const fetches: number[] = []
    const perSecond: number[] = []
    for (let round = 0; round < rounds; round++) {
      const [before, startedAt] = [vault.requests.length, performance.now()]
      const endsAt = startedAt + seconds * 1000
      let sessions = 0
      const open = async () => {
        while (performance.now() < endsAt) {
          const { error } = await runSql(admin, 'referenced', 'select 1', { source: 'admin' })
          if (error !== undefined) throw new Error(`a session failed: ${JSON.stringify(error)}`)
          sessions++
        }
      }
      await Promise.all(Array.from({ length: atOnce }, open))
      const elapsedSeconds = (performance.now() - startedAt) / 1000
      fetches.push((vault.requests.length - before) / (Math.floor(elapsedSeconds / ttlSeconds) + 1))
      perSecond.push(sessions / elapsedSeconds)
    }
    return { fetchesPerTtl: spreadOf(fetches), sessionsPerSecond: spreadOf(perSecond) }
  } finally {
    await Promise.all([postern.stop(), upstream.stop(), vault.stop()])
  }
}
