import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { newNumericId, type WorkspaceId } from '../base/ids.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { insertWorkspace } from '../store/workspaces.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import { GatewayIdentity, type PresentedIdentity } from './gateway-identity.ts'

let postgres: EmbeddedPostgres
let folder: string
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
  folder = mkdtempSync(join(tmpdir(), 'postern-identity-'))
}, 60_000)
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await postgres.stop()
})

const options = { gatewayDomain: 'postern.test', gatewayHost: '127.0.0.1', gatewayTlsNames: [] }

async function load(
  files: { gatewayTlsCert?: string; gatewayTlsKey?: string } = {},
  name = 'ca.pem',
): Promise<GatewayIdentity> {
  const config = { gatewayTlsCert: undefined, gatewayTlsKey: undefined, ...options, ...files }
  const store = await postgres.freshStore()
  return GatewayIdentity.load({ store, masterKey: MasterKey.generate(), config, caFile: join(folder, name) })
}

test("without the operator's files the gateway gets a certificate of our own, whose authority is published", async () => {
  const { current } = await load()
  const ca = readFileSync(join(folder, 'ca.pem'), 'utf8')
  expect(current.identity.certificateChainPem).toContain(ca.trim())
  expect(current.trustedPem).toBe(ca)
  expect(statSync(join(folder, 'ca.pem')).mode & 0o777).toBe(0o644)
})

test('the certificate of our own is for the instances of every workspace, also of one that was made since', async () => {
  const store = await postgres.freshStore()
  const masterKey = MasterKey.generate()
  const config = { gatewayTlsCert: undefined, gatewayTlsKey: undefined, ...options }
  const identityOf = async () => {
    const { current } = await GatewayIdentity.load({ store, masterKey, config, caFile: join(folder, 'many.pem') })
    return new X509Certificate(current.identity.certificateChainPem)
  }
  expect((await identityOf()).checkHost('sales.second.test')).toBeUndefined()
  const id = newNumericId<WorkspaceId>()
  await insertWorkspace(store.db, { id, name: 'second', gatewayDomain: 'second.test' })
  const certificate = await identityOf()
  expect(certificate.checkHost('sales.second.test')).not.toBeUndefined()
  expect(certificate.checkHost('sales.postern.test')).not.toBeUndefined()
})

test("the operator's files are presented, and a replaced pair is handed on without a restart", async () => {
  const [first, second] = [(await load({}, 'one.pem')).current.identity, (await load({}, 'two.pem')).current.identity]
  const files = { gatewayTlsCert: join(folder, 'cert.pem'), gatewayTlsKey: join(folder, 'key.pem') }
  const install = (identity: TlsIdentity): void => {
    writeFileSync(files.gatewayTlsCert, identity.certificateChainPem)
    writeFileSync(files.gatewayTlsKey, identity.privateKeyPem)
  }
  install(first)
  const identity = await load(files, 'own.pem')
  expect(identity.current).toEqual({ identity: first, trustedPem: first.certificateChainPem })
  const handedOn = new Promise<PresentedIdentity>((resolve, reject) => identity.follow(resolve, reject))
  install(second)
  expect((await handedOn).identity).toEqual(second)
  expect(identity.current.identity).toEqual(second)
  identity.close()
}, 30_000)

test('files that do not belong together stop the start', async () => {
  const [first, second] = [(await load({}, 'one.pem')).current.identity, (await load({}, 'two.pem')).current.identity]
  const files = { gatewayTlsCert: join(folder, 'a.pem'), gatewayTlsKey: join(folder, 'b.pem') }
  writeFileSync(files.gatewayTlsCert, first.certificateChainPem)
  writeFileSync(files.gatewayTlsKey, second.privateKeyPem)
  await expect(load(files)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
