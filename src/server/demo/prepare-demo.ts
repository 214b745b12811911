import fs from 'node:fs'
import path from 'node:path'
import { packedFile } from '../../base/installation.ts'
import { Secret } from '../../base/secret.ts'
import { ControlPlaneApi } from './control-plane-api.ts'
import type { ReadyFacts } from '../ready-file.ts'
import { demoDatabase, demoInstance, openDemoSession } from './demo-session.ts'

/** The service principal of the demo. Its secret is kept in the data folder (0600), so that a second start can use it again. */
export interface DemoServicePrincipal {
  readonly clientId: string
  readonly clientSecret: Secret
}

/**
 * Makes what the demo shows: the managed instance `sample` with its data, and a service principal with a Postgres role there.
 * Every step looks first whether it was done, so a start that was interrupted, or a second one, goes on where it should.
 */
export async function prepareDemo(
  ready: ReadyFacts,
  dataDir: string,
  onStep: (what: string) => void,
): Promise<DemoServicePrincipal> {
  const kept = readKept(dataDir)
  if (kept?.loaded) return kept.servicePrincipal

  const adminPassword = new Secret(fs.readFileSync(ready.adminPasswordFile, 'utf8').trim())
  const admin = await ControlPlaneApi.asUser(ready.httpUrl, ready.adminEmail, adminPassword)
  onStep(`creating the managed Postgres instance "${demoInstance}"`)
  await admin.ensure('/v1/instances', { kind: 'managed', name: demoInstance })
  const servicePrincipal = kept?.servicePrincipal ?? (await createServicePrincipal(admin))
  keep(dataDir, servicePrincipal, false)
  await admin.available(demoInstance, 60_000)

  onStep('binding a Postgres role to the service principal')
  await admin.ensure(`/v1/instances/${demoInstance}/roles`, {
    principal: { clientId: servicePrincipal.clientId },
    attributes: { createDb: true },
  })
  onStep('loading the book shop')
  await loadSampleData(ready, admin, servicePrincipal.clientId)
  keep(dataDir, servicePrincipal, true)
  return servicePrincipal
}

async function createServicePrincipal(admin: ControlPlaneApi): Promise<DemoServicePrincipal> {
  const created = await admin.post<{ clientId: string }>('/v1/servicePrincipals', { displayName: 'demo application' })
  const { secret } = await admin.post<{ secret: string }>(`/v1/servicePrincipals/${created.clientId}/secrets`, {})
  return { clientId: created.clientId, clientSecret: new Secret(secret) }
}

/** The admin loads it as himself, with a database credential through the gateway: the demo has no other way in either. */
async function loadSampleData(ready: ReadyFacts, admin: ControlPlaneApi, clientId: string): Promise<void> {
  const session = await openDemoSession(ready, {
    user: ready.adminEmail,
    credential: await admin.databaseCredential(demoInstance),
  })
  try {
    const { rows } = await session.query(`select to_regnamespace('shop') is not null as loaded`)
    if (rows[0].loaded) return
    // One transaction: half a shop is never left behind.
    const sampleData = fs.readFileSync(packedFile('src/server/demo/sample-data.sql'), 'utf8')
    await session.query(`begin; ${sampleData} ${grantsTo(clientId)}; commit`)
  } finally {
    await session.end()
  }
}

function grantsTo(clientId: string): string {
  const role = `"${clientId}"`
  return [
    `grant usage on schema shop to ${role}`,
    `grant select, insert, update, delete on all tables in schema shop to ${role}`,
    `grant create on database ${demoDatabase} to ${role}`,
    `grant create on schema public to ${role}`,
  ].join('; ')
}

const keptFile = (dataDir: string) => path.join(dataDir, 'demo.json')

function readKept(dataDir: string): { servicePrincipal: DemoServicePrincipal; loaded: boolean } | undefined {
  let text: string
  try {
    text = fs.readFileSync(keptFile(dataDir), 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
  const { clientId, clientSecret, loaded } = JSON.parse(text)
  return { servicePrincipal: { clientId, clientSecret: new Secret(clientSecret) }, loaded }
}

function keep(dataDir: string, { clientId, clientSecret }: DemoServicePrincipal, loaded: boolean): void {
  const temporary = `${keptFile(dataDir)}.new`
  fs.writeFileSync(temporary, JSON.stringify({ clientId, clientSecret: clientSecret.reveal(), loaded }), {
    mode: 0o600,
  })
  fs.renameSync(temporary, keptFile(dataDir))
}
