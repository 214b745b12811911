import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Forge, openForge } from '../support/forge.ts'
import { descendants } from '../support/processes.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** Everything secret of one busy Postern at its most talkative, looked for wherever somebody else could read it. */
describe('a secret', () => {
  let postern: RunningPostern<DemoReadyFile>
  let forge: Forge
  const secrets = new Map<string, string>()
  const planted = (what: string) => {
    const value = `planted-${what.replaceAll(' ', '-')}-93b1f7`
    secrets.set(what, value)
    return value
  }

  beforeAll(async () => {
    postern = await startDemo({ flags: ['--log-level', 'trace'] })
    forge = await openForge(postern)
    const { httpUrl, gatewayHost, gatewayPort, adminEmail, database, servicePrincipal } = postern.ready
    const { clientId, clientSecret } = servicePrincipal
    const admin = await postern.asAdmin()
    const application = await postern.asServicePrincipal(clientId, clientSecret)
    const credential = await application.mintCredential('sample')
    secrets.set('client secret', clientSecret)
    secrets.set('admin password', readFileSync(postern.ready.adminPasswordFile, 'utf8').trim())
    secrets.set('master key', readFileSync(join(postern.dataDir, 'master.key'), 'utf8').trim())
    secrets.set('access token', application.accessToken)
    secrets.set('database credential', credential)
    for (const cluster of [
      'metadata',
      ...readdirSync(join(postern.dataDir, 'instances')).map((id) => `instances/${id}`),
    ])
      secrets.set(
        `superuser of ${cluster}`,
        readFileSync(join(postern.dataDir, cluster, 'superuser-password'), 'utf8').trim(),
      )

    for (const password of [credential, planted('postgres password')]) {
      const client = await RawPgClient.openTls(gatewayHost, gatewayPort, {
        ca: postern.ca,
        serverName: 'sample.postern.localhost',
      })
      await client.logIn({ user: clientId, database }, password)
      client.destroy()
    }
    const source = { host: '127.0.0.1', port: 1, database: 'd', username: 'u', tlsMode: 'disable' }
    const external = (password: unknown, change = {}) => ({
      kind: 'external',
      name: 'outside',
      adminDataSource: { ...source, password, ...change },
    })
    await admin.send('POST', '/v1/instances', external(planted('data source password')))
    await admin.send(
      'POST',
      '/v1/instances?validateOnly=true',
      external(planted('tested password'), { port: gatewayPort }),
    )
    await admin.send('POST', '/v1/instances', external({ nested: planted('misplaced password') }))
    await admin.send('PATCH', '/v1/instances/sample', { adminDataSource: { password: planted('patched password') } })
    const form = (fields: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(fields) })
    const token = `${httpUrl}/oidc/v1/token`
    await fetch(
      token,
      form({
        grant_type: 'password',
        client_id: 'postern',
        username: adminEmail,
        password: planted('guessed password'),
      }),
    )
    await fetch(
      `${token}?client_secret=${planted('secret in a query')}`,
      form({ grant_type: 'client_credentials', client_id: clientId, client_secret: planted('guessed secret') }),
    )
    await fetch(`${httpUrl}/v1/me`, { headers: { authorization: `Bearer ${planted('guessed token')}` } })
    await fetch(`${httpUrl}/v1/instances`, {
      method: 'POST',
      headers: { authorization: `Bearer ${admin.accessToken}`, 'content-type': 'application/json' },
      body: `{"password": "${planted('password in broken JSON')}`,
    })
  })
  afterAll(async () => {
    await forge?.close()
    await postern?.stop()
  })

  const expectNone = (text: string) =>
    expect([...secrets].filter(([, value]) => text.includes(value)).map(([what]) => what)).toEqual([])
  const processes = () => [postern.pid, ...descendants(postern.pid)]

  test('is in no log, even at its most talkative: not of Postern, not of its servers', () => {
    expect(postern.logs().length + readFileSync(join(postern.dataDir, 'postern.log'), 'utf8').length).toBeGreaterThan(
      2000,
    )
    // What the demo prints for its user to paste is on his own terminal; the log is the file.
    expectNone(readFileSync(join(postern.dataDir, 'postern.log'), 'utf8'))
    for (const cluster of [
      'metadata',
      ...readdirSync(join(postern.dataDir, 'instances')).map((id) => `instances/${id}`),
    ])
      expectNone(readFileSync(join(postern.dataDir, cluster, 'postgres.log'), 'utf8'))
  })

  test('is in no audit record', async () => {
    const { rows } = await forge.store.pool.query('select to_jsonb(e)::text as event from audit_event e')
    expect(rows.length).toBeGreaterThan(5)
    expectNone(rows.map(({ event }) => event).join('\n'))
  })

  test('is in no column of the metadata store', async () => {
    const { rows } = await forge.store.pool.query(
      `select query_to_xml(format('select * from %I.%I', schemaname, tablename), true, false, '')::text as text
       from pg_tables where schemaname = 'public'`,
    )
    expect(rows.length).toBeGreaterThan(10)
    const text = rows.map((row) => row.text).join('\n')
    expectNone(text)
    expectNone(text.replaceAll(/[A-Za-z0-9+/=\s]{16,}/g, (base64) => Buffer.from(base64, 'base64').toString('latin1')))
  })

  test('is in no argument and no environment of a process of Postern, and no process leaves a core file', () => {
    for (const pid of processes()) {
      expectNone(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
      expectNone(readFileSync(`/proc/${pid}/environ`, 'latin1'))
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m)
    }
  })

  test('lies in no file that others may read', () => {
    const open: string[] = []
    const visit = (folder: string): void => {
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name)
        const mode = statSync(path).mode & 0o007
        if (entry.isDirectory()) {
          // Passing through is not looking: o+x alone.
          if ((mode & 0o006) !== 0) open.push(path)
          else visit(path)
        } else if (mode !== 0 && entry.name !== 'ca.pem') open.push(path)
      }
    }
    visit(postern.dataDir)
    expect(open).toEqual([])
  })
})
