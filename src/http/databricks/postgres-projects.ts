import { z } from 'zod'
import { listPostgresRoles } from '../../access/list-postgres-roles.ts'
import { PosternError } from '../../base/errors.ts'
import { readDatabases } from '../../catalog/read-catalog.ts'
import { CompatiblePageQuery } from '../../contract/database-instances.ts'
import { InstanceName } from '../../contract/instances.ts'
import {
  PostgresBranch,
  PostgresBranchList,
  PostgresEndpoint,
  PostgresEndpointList,
  PostgresProject,
  PostgresProjectDatabaseList,
  PostgresProjectList,
  PostgresProjectRole,
  PostgresProjectRoleList,
} from '../../contract/postgres-projects.ts'
import { getDatabaseInstance, listDatabaseInstances } from '../../instances/read-database-instances.ts'
import {
  BRANCH_ID,
  ENDPOINT_ID,
  presentBranch,
  presentEndpoint,
  presentProject,
  presentProjectDatabase,
  presentProjectRole,
  roleIdOf,
} from '../present/postgres-project.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'
import { compatiblePage } from './compatible-page.ts'

const root = '/api/2.0/postgres/projects'
const project = `${root}/:project`
const branch = `${project}/branches/:branch`
const params = z.object({ project: z.string() })
const branchParams = params.extend({ branch: z.string() })

/** `/api/2.0/postgres/projects/…`, to read: each Postgres instance as a project with one branch and one endpoint. */
export const postgresProjectRoutes: AddRoutes = (app, deps) => {
  app.get(
    root,
    {
      schema: {
        summary: 'List Postgres instances as projects',
        querystring: CompatiblePageQuery,
        response: compatibleAnswers(PostgresProjectList),
      },
    },
    async (request) => {
      const { limit, after, cut } = compatiblePage(request.query, InstanceName)
      const found = await listDatabaseInstances(deps, actorOf(request), { limit, after })
      const { rows, ...token } = cut(found, ({ name }) => name)
      return { projects: rows.map(presentProject), ...token }
    },
  )

  app.get(
    project,
    {
      schema: {
        summary: 'Read a Postgres instance as a project',
        params,
        response: compatibleAnswers(PostgresProject),
      },
    },
    async (request) => presentProject(await getDatabaseInstance(deps, actorOf(request), request.params.project)),
  )

  app.get(
    `${project}/branches`,
    { schema: { summary: 'List the branch of a project', params, response: compatibleAnswers(PostgresBranchList) } },
    async (request) => ({
      branches: [presentBranch(await getDatabaseInstance(deps, actorOf(request), request.params.project))],
    }),
  )

  app.get(
    branch,
    {
      schema: {
        summary: 'Read the branch of a project',
        params: branchParams,
        response: compatibleAnswers(PostgresBranch),
      },
    },
    async (request) => {
      const instance = await getDatabaseInstance(deps, actorOf(request), request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      return presentBranch(instance)
    },
  )

  app.get(
    `${branch}/endpoints`,
    {
      schema: {
        summary: 'List the endpoint of a branch',
        params: branchParams,
        response: compatibleAnswers(PostgresEndpointList),
      },
    },
    async (request) => {
      const instance = await getDatabaseInstance(deps, actorOf(request), request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      return { endpoints: [presentEndpoint(instance)] }
    },
  )

  app.get(
    `${branch}/endpoints/:endpoint`,
    {
      schema: {
        summary: 'Read the endpoint of a branch: its host',
        params: branchParams.extend({ endpoint: z.string() }),
        response: compatibleAnswers(PostgresEndpoint),
      },
    },
    async (request) => {
      const instance = await getDatabaseInstance(deps, actorOf(request), request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      requirePart('endpoint', request.params.endpoint, ENDPOINT_ID)
      return presentEndpoint(instance)
    },
  )

  app.get(
    `${branch}/roles`,
    {
      schema: {
        summary: 'List the Postgres roles of identities',
        params: branchParams,
        querystring: CompatiblePageQuery,
        response: compatibleAnswers(PostgresProjectRoleList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      const instance = await getDatabaseInstance(deps, actor, request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      const { limit, after, cut } = compatiblePage(request.query, z.string().max(63))
      const { rows, ...token } = cut(
        await listPostgresRoles(deps, actor, instance.name, { limit, after }),
        ({ roleName }) => roleName,
      )
      return { roles: rows.map((row) => presentProjectRole(row, instance)), ...token }
    },
  )

  app.get(
    `${branch}/roles/:role`,
    {
      schema: {
        summary: 'Read the Postgres role of an identity',
        params: branchParams.extend({ role: z.string() }),
        response: compatibleAnswers(PostgresProjectRole),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      const instance = await getDatabaseInstance(deps, actor, request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      const { role } = request.params
      for (let after: string | undefined; ;) {
        const page = await listPostgresRoles(deps, actor, instance.name, { limit: 1000, after })
        const found = page.find((row) => roleIdOf(row) === role)
        if (found) return presentProjectRole(found, instance)
        after = page.at(-1)?.roleName
        if (page.length < 1000) throw notFound('role', role)
      }
    },
  )

  app.get(
    `${branch}/databases`,
    {
      schema: {
        summary: 'List the databases of an instance, as the catalogue has them',
        params: branchParams,
        querystring: CompatiblePageQuery,
        response: compatibleAnswers(PostgresProjectDatabaseList),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      const instance = await getDatabaseInstance(deps, actor, request.params.project)
      requirePart('branch', request.params.branch, BRANCH_ID)
      const { limit, after, cut } = compatiblePage(request.query, z.string().max(1024))
      const { rows, ...token } = cut(
        await readDatabases(deps, actor, instance.name, { limit, after }),
        ({ name }) => name,
      )
      return { databases: rows.map(({ name }) => presentProjectDatabase(name, instance)), ...token }
    },
  )
}

function requirePart(what: 'branch' | 'endpoint', id: string, only: string): void {
  if (id !== only) throw notFound(what, id)
}

function notFound(what: string, id: string): PosternError {
  return new PosternError('NOT_FOUND', `${what} id '${id}' not found`, {
    hint: `An instance is a project with the branch ${BRANCH_ID} and the endpoint ${ENDPOINT_ID}.`,
  })
}
