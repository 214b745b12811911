import type { NativeLoginFacts } from '../store/native-login-facts.ts'
import { routeOf } from './data-source-secrets.ts'
import { NativeGrant } from './native-grant.ts'

/** Roles of a managed instance that mean something to Postern. */
const OWN_ROLES = new Set(['postern_admin', 'postern_supervisor', 'postern_bound', 'databricks_superuser'])

/** Why a password is not tried at the database. For the audit alone: who sent it reads one neutral sentence. */
type NativeDenial =
  | 'instance-not-found'
  | 'native-login-disabled'
  | 'instance-not-available'
  | 'bound-role-takes-a-credential'
  | 'role-made-by-postern'
  | 'user-of-a-data-source'

export type NativeDecision =
  { readonly allowed: true; readonly grant: NativeGrant } | { readonly allowed: false; readonly denial: NativeDenial }

/** Decides from the facts alone whether a password may be tried at the database. Nothing is read and nothing is written here. */
export function decideNativeLogin(roleName: string, facts: NativeLoginFacts | null): NativeDecision {
  if (facts === null) return denied('instance-not-found')
  const { instance, adminDataSource } = facts
  if (!instance.nativeLoginEnabled) return denied('native-login-disabled')
  if (facts.isBound) return denied('bound-role-takes-a-credential')
  if (OWN_ROLES.has(roleName)) return denied('role-made-by-postern')
  const isNamed = instance.nativeLoginRoles.includes(roleName)
  if (facts.isDataSourceUser && !isNamed) return denied('user-of-a-data-source')
  if (instance.state !== 'AVAILABLE' || adminDataSource === null) return denied('instance-not-available')
  const grant = NativeGrant.afterDecision({
    workspaceId: facts.workspaceId,
    instanceId: instance.id,
    instanceName: instance.name,
    roleName,
    route: routeOf({ ...adminDataSource, username: roleName }),
    routeSecrets: adminDataSource.routeSecrets,
    defaultDatabase: instance.defaultDatabase,
    systemIdentifier: instance.systemIdentifier,
    isNamed,
  })
  return { allowed: true, grant }
}

function denied(denial: NativeDenial): NativeDecision {
  return { allowed: false, denial }
}
