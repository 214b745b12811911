import type { Kysely } from 'kysely'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { requireRoleLogin } from './require-role-login.ts'
import type { InstanceRow } from '../store/instances.ts'
import { listPostgresRoleBindings, updatePostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import type { Schema } from '../store/schema.ts'
import { adminLoginTimeoutMs, type UpstreamDependencies } from './admin-session.ts'
import { withLogin } from './data-source-login.ts'
import { loginFor } from './create-bound-role.ts'

/**
 * Gives every bound role of an instance a new login key when its data source moves (another address or TLS setting of the same
 * cluster): the stored keys are sealed for the old destination and are not taken along. Roles that are not the bound ones any
 * more are left alone; `role repair` reports them.
 *
 * As in createBoundRole the upstream transaction commits after the store's; after a crash in between, `role repair` mends each.
 *
 * @param to the new destination, tested, and its secrets as they will be stored
 * @param store stores the moved data source, together with what it is handed
 */
export async function moveLoginKeys(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  to: { readonly route: DataSourceRoute; readonly secrets: DataSourceSecrets; readonly systemIdentifier: string },
  store: (alsoStore?: (db: Kysely<Schema>) => Promise<void>) => Promise<void>,
): Promise<void> {
  const bindings = await listPostgresRoleBindings(deps.store.db, instance.id)
  if (bindings.length === 0) return store()
  const roleLogin = await requireRoleLogin(instance)
  const session = await withLogin(deps.dialer, to.route, to.secrets, ({ route, secrets }) =>
    roleLogin.openRoleSession(route, { dialer: deps.dialer, secrets, timeoutMs: adminLoginTimeoutMs }),
  )
  try {
    await session.inTransaction(async () => {
      const moved: { binding: (typeof bindings)[number]; loginKeySealed: Buffer | null }[] = []
      for (const binding of bindings) {
        const { roleName, roleOid, systemIdentifier } = binding
        const login = loginFor(deps.masterKey, instance, binding.id, { ...to.route, username: roleName })
        const found = await session.roles.find(roleName)
        if (found?.oid !== roleOid || systemIdentifier !== to.systemIdentifier || login.verifier === null) continue
        await session.roles.setPasswordVerifier(roleName, login.verifier)
        if ((await session.roles.find(roleName))?.oid === roleOid) moved.push({ binding, loginKeySealed: login.sealed })
      }
      await store(async (db) => {
        for (const { binding, loginKeySealed } of moved)
          await updatePostgresRoleBinding(db, binding, { loginKeySealed })
      })
    })
  } finally {
    await session.close()
  }
}
