import { z } from 'zod'
import {
  type GrantedPermission,
  grantInstancePermissions,
  readAccessControl,
} from '../../access/change-instance-permissions.ts'
import type { InstanceMaker } from '../../access/instance-makers.ts'
import { LEVEL_NAME } from '../../access/instance-permissions.ts'
import { PosternError } from '../../base/errors.ts'
import {
  type AccessControl,
  type AccessControlRequest,
  ObjectPermissions,
  PermissionLevels,
  PermissionsRequest,
} from '../../contract/access-control-lists.ts'
import type { PrincipalReference } from '../../contract/postgres-roles.ts'
import type { Actor } from '../../identity/actor.ts'
import { getDatabaseInstance } from '../../instances/read-database-instances.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import { actorOf, compatibleAnswers, type AddRoutes } from '../route.ts'

const path = '/api/2.0/permissions/database-instances/:name'
const params = z.object({ name: z.string() })

/** What all instances inherit from. */
const ROOT = '/database-instances/'

/** `/api/2.0/permissions/database-instances/…`: the generic permissions of the compatible API, for Postgres instances. */
export const instanceAclRoutes: AddRoutes = (app, deps) => {
  app.get(
    path,
    {
      schema: {
        summary: 'Read who may do what with an instance',
        params,
        response: compatibleAnswers(ObjectPermissions),
      },
    },
    async (request) => readPermissions(deps, actorOf(request), request.params.name),
  )

  for (const [method, summary, replace] of [
    ['PUT', 'Replace the permissions that were granted on an instance', true],
    ['PATCH', 'Grant permissions on an instance', false],
  ] as const) {
    app.route({
      method,
      url: path,
      schema: { summary, params, body: PermissionsRequest.nullish(), response: compatibleAnswers(ObjectPermissions) },
      async handler(request) {
        const actor = actorOf(request)
        const { name } = await getDatabaseInstance(deps, actor, request.params.name)
        const list = request.body?.access_control_list
        // A client that loses the body on its way must not take every permission away.
        if (!list) throw new PosternError('INVALID_ARGUMENT', 'access_control_list: is required')
        await grantInstancePermissions(deps, actor, name, list.map(readGrant), { replace })
        return readPermissions(deps, actor, name)
      },
    })
  }

  app.get(
    `${path}/permissionLevels`,
    {
      schema: {
        summary: 'Read which permissions there are on an instance',
        params,
        response: compatibleAnswers(PermissionLevels),
      },
    },
    async (request) => {
      await getDatabaseInstance(deps, actorOf(request), request.params.name)
      return {
        permission_levels: [
          { permission_level: 'CAN_CREATE', description: 'Can create managed instances (inherited)' },
          { permission_level: 'CAN_USE', description: 'Can have credentials, and a Postgres role of its own' },
          {
            permission_level: 'CAN_MANAGE',
            description: 'Can manage Postgres roles, permissions and managed instances',
          },
        ],
      }
    },
  )
}

async function readPermissions(deps: HttpDependencies, actor: Actor, name: string) {
  await getDatabaseInstance(deps, actor, name)
  const { creator, permissions, makers } = await readAccessControl(deps, actor, name)
  const granted = permissions.filter(({ principalId }) => principalId !== creator?.principalId)
  return {
    object_id: `${ROOT}${name}`,
    object_type: 'database-instances',
    access_control_list: [
      ...(creator === undefined ? [] : [entry(creator, { permission_level: 'CAN_MANAGE', inherited: false })]),
      ...granted.map((row) => entry(row, { permission_level: LEVEL_NAME[row.level], inherited: false })),
      ...makers.map((row) =>
        entry(row, { permission_level: 'CAN_CREATE', inherited: true, inherited_from_object: [ROOT] }),
      ),
    ],
  }
}

function entry(
  { principalKind, principalName }: InstanceMaker,
  permission: AccessControl['all_permissions'][number],
): AccessControl {
  const name = { user: 'user_name', service_principal: 'service_principal_name', group: 'group_name' } as const
  return { [name[principalKind]]: principalName, display_name: principalName, all_permissions: [permission] }
}

function readGrant(request: AccessControlRequest): {
  principal: PrincipalReference
  level: GrantedPermission['level']
} {
  const { user_name: email, group_name: group, service_principal_name: clientId, permission_level } = request
  const named: PrincipalReference[] = [
    ...(email === undefined ? [] : [{ email }]),
    ...(group === undefined ? [] : [{ group }]),
    ...(clientId === undefined ? [] : [readClientId(clientId)]),
  ]
  const [principal, another] = named
  if (principal === undefined || another !== undefined) {
    throw new PosternError(
      'INVALID_ARGUMENT',
      'access_control_list: an entry names one of user_name, group_name and service_principal_name',
    )
  }
  if (permission_level !== 'CAN_CREATE')
    return { principal, level: permission_level === 'CAN_MANAGE' ? 'manage' : 'use' }
  throw new PosternError('INVALID_ARGUMENT', 'permission_level: CAN_CREATE is of the workspace, not of one instance', {
    hint: 'A Workspace Admin grants it (postern permission grant-create).',
  })
}

/** Anything but a UUID names nobody, and would be refused by the store. */
function readClientId(clientId: string): PrincipalReference {
  if (z.uuid().safeParse(clientId).success) return { clientId }
  throw new PosternError('NOT_FOUND', `No principal with clientId '${clientId}' belongs to this workspace`)
}
