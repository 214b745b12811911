import { z } from 'zod'
import { bindPostgresRole } from '../../access/bind-postgres-role.ts'
import { installDatabricksAuth } from '../../access/install-databricks-auth.ts'
import { getPostgresRole, listPostgresRoles } from '../../access/list-postgres-roles.ts'
import { repairPostgresRole } from '../../access/repair-postgres-role.ts'
import { unbindPostgresRole } from '../../access/unbind-postgres-role.ts'
import { updatePostgresRole } from '../../access/update-postgres-role.ts'
import { PageQuery } from '../../contract/paging.ts'
import {
  BindPostgresRoleInput,
  InstallDatabricksAuthAnswer,
  InstallDatabricksAuthInput,
  PostgresRole,
  PostgresRoleList,
  PostgresRoleRepair,
  UnbindPostgresRoleAnswer,
  UnbindPostgresRoleQuery,
  UpdatePostgresRoleInput,
} from '../../contract/postgres-roles.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentPostgresRole } from '../present/postgres-role.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const rolesPath = '/v1/instances/:name/roles'
const rolePath = `${rolesPath}/:roleName`
const params = z.object({ name: z.string() })
const roleParams = params.extend({ roleName: z.string() })

export const postgresRoleRoutes: AddRoutes = (app, deps) => {
  app.post(
    rolesPath,
    {
      schema: {
        summary: 'Bind a principal to a Postgres role of its own',
        params,
        body: BindPostgresRoleInput,
        response: answers(PostgresRole),
      },
    },
    async (request) => {
      const { name } = request.params
      return presentPostgresRole(await bindPostgresRole(deps, actorOf(request), name, request.body), name)
    },
  )

  app.get(
    rolesPath,
    {
      schema: {
        summary: 'List the bound Postgres roles of an instance',
        params,
        querystring: PageQuery,
        response: answers(PostgresRoleList),
      },
    },
    async (request) => {
      const { name } = request.params
      const { pageSize, pageToken } = request.query
      const after = decodePageToken(pageToken, z.string().max(63))
      const found = await listPostgresRoles(deps, actorOf(request), name, { limit: pageSize + 1, after })
      const { rows, nextPageToken } = cutPage(found, pageSize, ({ roleName }) => roleName)
      return { roles: rows.map((row) => presentPostgresRole(row, name)), nextPageToken }
    },
  )

  app.get(
    rolePath,
    { schema: { summary: 'Read a bound Postgres role', params: roleParams, response: answers(PostgresRole) } },
    async (request) => {
      const { name, roleName } = request.params
      return presentPostgresRole(await getPostgresRole(deps, actorOf(request), name, roleName), name)
    },
  )

  app.patch(
    rolePath,
    {
      schema: {
        summary: 'Change the attributes of a bound Postgres role',
        params: roleParams,
        body: UpdatePostgresRoleInput,
        response: answers(PostgresRole),
      },
    },
    async (request) => {
      const { name, roleName } = request.params
      const role = await updatePostgresRole(deps, actorOf(request), name, roleName, request.body)
      return presentPostgresRole(role, name)
    },
  )

  app.post(
    // Two colons are a literal one: the path ends in NAME:repair.
    `${rolePath}(^.+)::repair`,
    {
      schema: {
        summary: 'Compare a bound Postgres role with the database and put it back',
        params: roleParams,
        body: z.strictObject({}).nullish(),
        response: answers(PostgresRoleRepair),
      },
    },
    async (request) => {
      const { name, roleName } = request.params
      const { role, findings, repaired } = await repairPostgresRole(deps, actorOf(request), name, roleName)
      return { role: presentPostgresRole(role, name), findings, repaired }
    },
  )

  app.post(
    '/v1/instances/:name(^.+)::installDatabricksAuth',
    {
      schema: {
        summary: 'Make the functions of databricks_auth in a database of an external instance',
        params,
        body: InstallDatabricksAuthInput.nullish(),
        response: answers(InstallDatabricksAuthAnswer),
      },
    },
    async (request) => {
      const { name } = request.params
      return { database: await installDatabricksAuth(deps, actorOf(request), name, request.body?.database) }
    },
  )

  app.delete(
    rolePath,
    {
      schema: {
        summary: 'Unbind a Postgres role and drop it on the database',
        params: roleParams,
        querystring: UnbindPostgresRoleQuery,
        response: answers(UnbindPostgresRoleAnswer),
      },
    },
    async (request) => {
      const { name, roleName } = request.params
      return { upstreamRole: await unbindPostgresRole(deps, actorOf(request), name, roleName, request.query) }
    },
  )
}
