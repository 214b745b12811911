import { expect, it } from 'vitest'
import { testDialer } from '../../test/support/test-dialer.ts'
import { testRoute } from '../../test/support/test-route.ts'
import { newUuid, type DataSourceId, type InstanceId } from '../base/ids.ts'
import type { EngineName } from '../contract/engines.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { openDataSource } from './open-data-source.ts'

/** What follows a zero byte would be parameters of the caller's own; a longer name would be cut to that of another database. */
it.each<[engine: EngineName, database: string]>([
  ['postgres', 'shop\0options\0-c role=keeper'],
  ['postgres', 'x'.repeat(64)],
  ['cockroachdb', 'shop\0user\0root'],
  ['mysql', 'x'.repeat(65)],
  ['mariadb', 'x'.repeat(65)],
])('a database that is named for one session is checked like one that is stored: %s %j', async (engine, database) => {
  const deps = { masterKey: MasterKey.generate(), dialer: testDialer() }
  const source = {
    ...testRoute(1, { engine }),
    id: newUuid<DataSourceId>(),
    instanceId: newUuid<InstanceId>(),
    name: 'admin',
    type: 'admin',
    title: '',
    weight: 1,
    tested: true,
    lastCheck: null,
    sealedSecrets: {},
  } as unknown as Parameters<typeof openDataSource>[2]
  const instance = { name: 'shop-db', state: 'AVAILABLE', manageMode: null } as const
  const attempt = openDataSource(deps, instance, source, { database, purpose: 'admin', timeoutMs: 1_000 })
  await expect(attempt).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'database' } })
})
