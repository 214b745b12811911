import { z } from 'zod'
import {
  grantInstancePermissions,
  readInstancePermissions,
  revokeInstancePermission,
} from '../../access/change-instance-permissions.ts'
import { addInstanceMaker, listInstanceMakers, removeInstanceMaker } from '../../access/instance-makers.ts'
import type { PrincipalId } from '../../base/ids.ts'
import {
  AddInstanceMakerInput,
  GrantPermissionInput,
  InstanceMaker,
  InstanceMakerList,
  InstancePermissionList,
} from '../../contract/instance-permissions.ts'
import { PageQuery } from '../../contract/paging.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentInstanceMaker, presentInstancePermission } from '../present/instance-permission.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/instances/:name/permissions'
const makersPath = '/v1/instanceMakers'
const params = z.object({ name: z.string() })
const principalId = z.string().regex(/^\d{1,18}$/, 'must be the id of a principal: digits')
const nothing = z.object({})

/** Who may use and manage one instance, and who may create managed ones. */
export const instancePermissionRoutes: AddRoutes = (app, deps) => {
  app.get(
    path,
    {
      schema: {
        summary: 'List the permissions granted on an instance',
        params,
        querystring: PageQuery,
        response: answers(InstancePermissionList),
      },
    },
    async (request) => {
      const { pageSize, pageToken } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, principalId) }
      const { permissions } = await readInstancePermissions(deps, actorOf(request), request.params.name, page)
      const { rows, nextPageToken } = cutPage(permissions, pageSize, (row) => row.principalId)
      return { permissions: rows.map(presentInstancePermission), nextPageToken }
    },
  )

  app.post(
    path,
    {
      schema: {
        summary: 'Grant a permission on an instance, in place of the one that the principal had',
        params,
        body: GrantPermissionInput,
        response: answers(nothing),
      },
    },
    async (request) => {
      const { principal, level } = request.body
      const grant = { principal, level: level === 'CAN_MANAGE' ? 'manage' : 'use' } as const
      await grantInstancePermissions(deps, actorOf(request), request.params.name, [grant])
      return {}
    },
  )

  app.delete(
    `${path}/:principalId`,
    {
      schema: {
        summary: 'Revoke the permission of a principal on an instance',
        params: params.extend({ principalId }),
        response: answers(nothing),
      },
    },
    async (request) => {
      const { name, principalId: id } = request.params
      await revokeInstancePermission(deps, actorOf(request), name, id as PrincipalId)
      return {}
    },
  )

  app.get(
    makersPath,
    {
      schema: {
        summary: 'List who may create managed instances besides Workspace Admins and DBAs',
        querystring: PageQuery,
        response: answers(InstanceMakerList),
      },
    },
    async (request) => {
      const { pageSize, pageToken } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, principalId) }
      const found = await listInstanceMakers(deps, actorOf(request), page)
      const { rows, nextPageToken } = cutPage(found, pageSize, (row) => row.principalId)
      return { instanceMakers: rows.map(presentInstanceMaker), nextPageToken }
    },
  )

  app.post(
    makersPath,
    {
      schema: {
        summary: 'Let a principal create managed instances (CAN_CREATE)',
        body: AddInstanceMakerInput,
        response: answers(InstanceMaker),
      },
    },
    async (request) => presentInstanceMaker(await addInstanceMaker(deps, actorOf(request), request.body.principal)),
  )

  app.delete(
    `${makersPath}/:principalId`,
    {
      schema: {
        summary: 'Take CAN_CREATE away from a principal',
        params: z.object({ principalId }),
        response: answers(nothing),
      },
    },
    async (request) => {
      await removeInstanceMaker(deps, actorOf(request), request.params.principalId as PrincipalId)
      return {}
    },
  )
}
