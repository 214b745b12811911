import { PosternError } from '../base/errors.ts'
import type { RoleLoginCapability } from '../engines/engine.ts'
import { loadEngine } from '../engines/registry.ts'
import type { InstanceRow } from '../store/instances.ts'

/**
 * The side of an instance's engine that works on Postgres roles.
 * @throws PosternError FEATURE_NOT_SUPPORTED where the engine has no Postgres roles that people could log in as
 */
export async function requireRoleLogin(instance: Pick<InstanceRow, 'name' | 'engine'>): Promise<RoleLoginCapability> {
  const { roleLogin } = await loadEngine(instance.engine)
  if (roleLogin !== undefined) return roleLogin
  throw new PosternError(
    'FEATURE_NOT_SUPPORTED',
    `instance '${instance.name}' has engine ${instance.engine}: Postgres roles and logins through the gateway exist for postgres alone`,
  )
}
