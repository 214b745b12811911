import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MasterKey } from '../../src/crypto/master-key.ts'
import { opensKeyCheck } from '../../src/keys/master-key-check.ts'
import { resealStore } from '../../src/keys/reseal-store.ts'
import { openForge } from '../support/forge.ts'
import { RawPgClient } from '../support/raw-pg-client.ts'
import { type DemoReadyFile, type RunningPostern, startDemo, startPostern } from '../support/running-postern.ts'

const keyFile = (postern: { dataDir: string }, name = 'master.key') => join(postern.dataDir, name)
const readKey = (path: string) => MasterKey.parse(readFileSync(path, 'utf8'))

/** One login through the gateway with a new credential; it needs signing keys and, on external instances, a login key. */
async function logIn(postern: RunningPostern<DemoReadyFile>): Promise<void> {
  const { gatewayHost, gatewayPort, database, servicePrincipal } = postern.ready
  const { clientId, clientSecret } = servicePrincipal
  const application = await postern.asServicePrincipal(clientId, clientSecret)
  const credential = await application.mintCredential('sample')
  const client = await RawPgClient.openTls(gatewayHost, gatewayPort, {
    ca: postern.ca,
    serverName: 'sample.postern.localhost',
  })
  await client.logIn({ user: clientId, database }, credential)
  client.destroy()
}

async function keyCheck(postern: RunningPostern): Promise<Buffer> {
  const forge = await openForge(postern)
  try {
    const { rows } = await forge.store.pool.query<{ key_check: Buffer }>('select key_check from deployment')
    return rows[0]!.key_check
  } finally {
    await forge.close()
  }
}

describe('the master key', () => {
  let postern: RunningPostern<DemoReadyFile>

  beforeAll(async () => {
    postern = await startDemo()
  })
  afterAll(() => postern.stop())

  it('is exchanged while people log in: nobody is refused, and the old key opens nothing afterwards', async () => {
    const before = readKey(keyFile(postern))
    let logins = 0
    const done = new AbortController()
    const people = (async () => {
      while (!done.signal.aborted) {
        await logIn(postern)
        logins += 1
      }
    })()
    const admin = await postern.asAdmin()
    for (let round = 0; round < 3; round += 1) {
      const rotated = await admin.expect<{ resealed: number; unreadable: number }>('POST', '/v1/masterKey:rotate', {})
      expect(rotated.resealed).toBeGreaterThan(3)
      expect(rotated.unreadable).toBe(0)
    }
    done.abort()
    await people
    expect(logins).toBeGreaterThan(2)
    expect(existsSync(keyFile(postern, 'master.key.next'))).toBe(false)
    const check = await keyCheck(postern)
    expect(opensKeyCheck(before, check)).toBe(false)
    expect(opensKeyCheck(readKey(keyFile(postern)), check)).toBe(true)
    await logIn(postern)
  })

  it('is exchanged by a Workspace Admin alone, and the audit says by whom', async () => {
    const { clientId, clientSecret } = postern.ready.servicePrincipal
    const application = await postern.asServicePrincipal(clientId, clientSecret)
    expect((await application.send('POST', '/v1/masterKey:rotate', {})).status).toBe(403)
    const admin = await postern.asAdmin()
    const { auditEvents } = await admin.expect<{ auditEvents: { action: string; actor: { name: string } }[] }>(
      'GET',
      '/v1/auditEvents?action=masterKey.rotate',
    )
    expect(auditEvents[0]).toMatchObject({ action: 'masterKey.rotate', actor: { name: postern.ready.adminEmail } })
  })

  it('is the whole new one or the whole old one to whoever is killed on the way: the next start goes on', async () => {
    const before = readKey(keyFile(postern))
    const next = MasterKey.generate()
    // As it lies there when a node was killed after half of the values.
    const forge = await openForge(postern)
    writeFileSync(keyFile(postern, 'master.key.next'), `${next.export().reveal()}\n`, { mode: 0o600 })
    const both = MasterKey.parse(before.export().reveal())
    both.exchangeFor(next)
    await resealStore({ store: forge.store, masterKey: both }, () => {
      throw new Error('killed here')
    }).catch(() => undefined)
    await forge.close()
    postern.signal('SIGKILL')
    await postern.ended
    const again = await startPostern({ dataDir: postern.dataDir })
    try {
      for (let wait = 0; existsSync(keyFile(postern, 'master.key.next')) && wait < 100; wait += 1) await sleep(100)
      expect(readKey(keyFile(postern)).id.equals(next.id)).toBe(true)
      const check = await keyCheck(again)
      expect([opensKeyCheck(next, check), opensKeyCheck(before, check)]).toEqual([true, false])
      await (await again.asAdmin()).expect('GET', '/v1/instances')
    } finally {
      await again.stop()
    }
  })
})
