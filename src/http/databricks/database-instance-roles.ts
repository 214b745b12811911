import { z } from 'zod'
import { bindPostgresRole } from '../../access/bind-postgres-role.ts'
import { getPostgresRole, listPostgresRoles } from '../../access/list-postgres-roles.ts'
import { unbindPostgresRole } from '../../access/unbind-postgres-role.ts'
import { updatePostgresRole } from '../../access/update-postgres-role.ts'
import { PosternError } from '../../base/errors.ts'
import {
  CompatiblePageQuery,
  DatabaseInstanceRole,
  DatabaseInstanceRoleInput,
  DatabaseInstanceRoleList,
  DeleteDatabaseInstanceRoleQuery,
} from '../../contract/database-instances.ts'
import type { PrincipalReference } from '../../contract/postgres-roles.ts'
import { getDatabaseInstance } from '../../instances/read-database-instances.ts'
import { presentDatabaseInstanceRole } from '../present/database-instance-role.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'
import { compatiblePage } from './compatible-page.ts'

const rolesPath = '/api/2.0/database/instances/:name/roles'
const params = z.object({ name: z.string() })
const roleParams = params.extend({ role: z.string() })

/** `…/instances/{instance}/roles`: bound Postgres roles as the compatible API words them. */
export const databaseInstanceRoleRoutes: AddRoutes = (app, deps) => {
  app.post(
    rolesPath,
    {
      schema: {
        summary: 'Make a Postgres role for an identity',
        params,
        body: DatabaseInstanceRoleInput,
        response: compatibleAnswers(DatabaseInstanceRole),
      },
    },
    async (request) => {
      const { name: instance } = request.params
      const actor = actorOf(request)
      await getDatabaseInstance(deps, actor, instance)
      const { name: roleName, attributes, membership_role } = request.body
      if (!roleName)
        throw new PosternError('INVALID_ARGUMENT', `Field 'name' is required, expected non-default value (not "")!`)
      const created = await bindPostgresRole(deps, actor, instance, {
        principal: readIdentity(roleName, request.body.identity_type),
        roleName,
        attributes: {
          createDb: attributes?.createdb ?? false,
          createRole: attributes?.createrole ?? false,
          bypassRls: attributes?.bypassrls ?? false,
        },
        administrator: membership_role === 'DATABRICKS_SUPERUSER',
      })
      return presentDatabaseInstanceRole(created, instance)
    },
  )

  app.get(
    rolesPath,
    {
      schema: {
        summary: 'List the Postgres roles of identities',
        params,
        querystring: CompatiblePageQuery,
        response: compatibleAnswers(DatabaseInstanceRoleList),
      },
    },
    async (request) => {
      const { name: instance } = request.params
      const actor = actorOf(request)
      await getDatabaseInstance(deps, actor, instance)
      const { limit, after, cut } = compatiblePage(request.query, z.string().max(63))
      const found = await listPostgresRoles(deps, actor, instance, { limit, after })
      const { rows, ...token } = cut(found, ({ roleName }) => roleName)
      return { database_instance_roles: rows.map((row) => presentDatabaseInstanceRole(row, instance)), ...token }
    },
  )

  app.get(
    `${rolesPath}/:role`,
    {
      schema: {
        summary: 'Read the Postgres role of an identity',
        params: roleParams,
        response: compatibleAnswers(DatabaseInstanceRole),
      },
    },
    async (request) => {
      const { name: instance, role } = request.params
      const actor = actorOf(request)
      await getDatabaseInstance(deps, actor, instance)
      return presentDatabaseInstanceRole(await getPostgresRole(deps, actor, instance, role), instance)
    },
  )

  app.patch(
    `${rolesPath}/:role`,
    {
      schema: {
        summary: 'Change attributes and membership of the Postgres role of an identity',
        params: roleParams,
        body: DatabaseInstanceRoleInput.nullish(),
        response: compatibleAnswers(DatabaseInstanceRole),
      },
    },
    async (request) => {
      const { name: instance, role } = request.params
      const actor = actorOf(request)
      await getDatabaseInstance(deps, actor, instance)
      const { attributes, membership_role } = request.body ?? {}
      // null takes the membership away; absent, as a client without it sends, changes nothing.
      if (!attributes && membership_role === undefined) {
        throw new PosternError('INVALID_ARGUMENT', 'The body has no attributes and no membership_role to change')
      }
      const changed = await updatePostgresRole(deps, actor, instance, role, {
        ...(attributes && {
          attributes: {
            createDb: attributes.createdb ?? undefined,
            createRole: attributes.createrole ?? undefined,
            bypassRls: attributes.bypassrls ?? undefined,
          },
        }),
        ...(membership_role !== undefined && { administrator: membership_role === 'DATABRICKS_SUPERUSER' }),
      })
      return presentDatabaseInstanceRole(changed, instance)
    },
  )

  app.delete(
    `${rolesPath}/:role`,
    {
      schema: {
        summary: 'Drop the Postgres role of an identity',
        params: roleParams,
        querystring: DeleteDatabaseInstanceRoleQuery,
        response: compatibleAnswers(z.object({})),
      },
    },
    async (request) => {
      const { name: instance, role } = request.params
      const { allow_missing: allowMissing, reassign_owned_to: reassignOwnedTo } = request.query
      const actor = actorOf(request)
      await getDatabaseInstance(deps, actor, instance)
      try {
        await unbindPostgresRole(deps, actor, instance, role, { reassignOwnedTo, keepUpstreamRole: false })
      } catch (thrown) {
        if (!(allowMissing && thrown instanceof PosternError && thrown.code === 'NOT_FOUND')) throw thrown
      }
      return {}
    },
  )
}

/** The identity that a role of this name is for: the role is called as the identity is. */
function readIdentity(name: string, type: DatabaseInstanceRoleInput['identity_type']): PrincipalReference {
  switch (type) {
    case 'USER':
      return { email: name }
    case 'GROUP':
      return { group: name }
    case 'SERVICE_PRINCIPAL':
      if (z.uuid().safeParse(name).success) return { clientId: name }
      throw new PosternError('INVALID_ARGUMENT', 'name: must be the client id of the service principal, a UUID')
    case 'PG_ONLY':
      throw new PosternError(
        'FEATURE_NOT_SUPPORTED',
        'identity_type PG_ONLY: a Postgres role with a password is made in SQL',
        {
          hint: "Switch native login on and run: create role NAME login password '…'.",
        },
      )
    case null:
    case undefined:
      throw new PosternError('INVALID_ARGUMENT', 'identity_type: is required: USER, SERVICE_PRINCIPAL or GROUP')
  }
}
