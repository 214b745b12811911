import { PosternError } from '../base/errors.ts'
import { newUuid, type RoleBindingId } from '../base/ids.ts'
import type { AuditEntry } from '../audit/audit-record.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { LoginKey } from '../crypto/login-key.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { seal } from '../crypto/seal.ts'
import type { RoleSession, RoleAttributes } from '../engines/engine.ts'
import type { Principal } from '../identity/find-principal.ts'
import type { InstanceRow } from '../store/instances.ts'
import { insertPostgresRoleBinding } from '../store/postgres-role-bindings.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { AdminSession, UpstreamDependencies } from './admin-session.ts'
import { loginKeyContext } from './login-key-context.ts'
import { checkPostgresRoleName } from './postgres-role-name.ts'

/** The group that marks bound roles on managed instances: `pg_hba.conf` admits its members by the gateway's system user. */
export const BOUND_ROLES = 'postern_bound'
/** The administrators' role, named as on the compatible platform. */
export const ADMINISTRATORS = 'databricks_superuser'

export interface BoundRoleSpec {
  readonly roleName: string
  readonly attributes: RoleAttributes
  readonly administrator: boolean
}

/** Who binds; the action, the target and the outcome are filled in. */
export type BindingAudit = Pick<AuditEntry, 'workspaceId' | 'actorId' | 'actorName' | 'requestId' | 'peer'>

/**
 * Makes a Postgres role on an instance and binds it to a principal.
 *
 * The upstream transaction that makes the role stays open while the binding and its audit record are stored, and commits last.
 * A crash before the store has committed leaves nothing anywhere; one after it leaves a binding whose role is missing, which
 * nobody can log in with and `role repair` completes. At no time is there a role without a binding, so no name is lost and no
 * mark on the role has to be trusted (docs/design/0003).
 *
 * @throws PosternError ROLE_TAKEN | ALREADY_EXISTS | INVALID_ARGUMENT | UPSTREAM_*
 */
export async function createBoundRole(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  principal: Principal,
  spec: BoundRoleSpec,
  audit: BindingAudit,
): Promise<void> {
  await bindRole(deps, instance, admin, principal, spec, audit, (verifier) =>
    makeRole(admin.session, instance, spec, verifier),
  )
}

/**
 * Binds the role that `giveRole` makes or takes in the upstream transaction, and answers with its oid.
 * @param giveRole is given the verifier that is to be the role's password; null: it is to have none
 */
export async function bindRole(
  deps: UpstreamDependencies,
  instance: InstanceRow,
  admin: AdminSession,
  principal: Principal,
  spec: BoundRoleSpec,
  audit: BindingAudit,
  giveRole: (passwordVerifier: string | null) => Promise<string>,
): Promise<void> {
  checkPostgresRoleName(spec.roleName)
  const { session, route, systemIdentifier } = admin
  const bindingId = newUuid<RoleBindingId>()
  let isStored = false
  try {
    await session.inTransaction(async () => {
      const login = loginFor(deps.masterKey, instance, bindingId, { ...route, username: spec.roleName })
      const roleOid = await giveRole(login.verifier)
      await withStoreErrors(
        deps.store.db.transaction().execute(async (db) => {
          await insertPostgresRoleBinding(db, {
            id: bindingId,
            instanceId: instance.id,
            principalId: principal.id,
            roleName: spec.roleName,
            roleOid,
            systemIdentifier,
            attributes: spec.attributes,
            isAdministrator: spec.administrator,
            loginKeySealed: login.sealed,
            createdBy: audit.actorId ?? null,
          })
          await recordAudit(db, {
            ...audit,
            action: 'postgresRole.bind',
            outcome: 'allowed',
            targetType: 'postgres_role',
            targetId: bindingId,
            targetName: spec.roleName,
            detail: {
              instance: instance.name,
              principalId: principal.id,
              principalName: principal.name,
              roleOid,
              ...spec.attributes,
              administrator: spec.administrator,
            },
          })
        }),
      )
      isStored = true
    })
  } catch (thrown) {
    if (!isStored) throw thrown
    throw new PosternError(
      'UPSTREAM_FAILED',
      `the database did not confirm that it made the Postgres role '${spec.roleName}'`,
      {
        cause: thrown,
        hint: 'The binding is stored. Run role repair once the database answers.',
      },
    )
  }
}

/** Makes the role with its memberships, in the transaction of the caller. */
export async function makeRole(
  session: RoleSession,
  instance: InstanceRow,
  spec: BoundRoleSpec,
  passwordVerifier: string | null,
): Promise<string> {
  const roleOid = await session.roles.create(spec.roleName, spec.attributes, passwordVerifier)
  if (instance.kind === 'managed') await session.roles.grantMembership(BOUND_ROLES, spec.roleName, 'marker')
  if (spec.administrator) {
    await session.roles.ensureAdministratorsRole()
    await session.roles.grantMembership(ADMINISTRATORS, spec.roleName, 'privileges')
  }
  return roleOid
}

/** How the gateway will log in: by a new login key, or on managed instances by its system user, where no password exists. */
export function loginFor(
  masterKey: MasterKey,
  instance: Pick<InstanceRow, 'kind'>,
  bindingId: RoleBindingId,
  roleRoute: AdminSession['route'],
): { readonly verifier: string | null; readonly sealed: Buffer | null } {
  if (instance.kind === 'managed') return { verifier: null, sealed: null }
  const loginKey = LoginKey.generate()
  return {
    verifier: loginKey.verifier(),
    sealed: seal(masterKey, loginKey.toSecret(), loginKeyContext(bindingId, roleRoute)),
  }
}
