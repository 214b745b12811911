import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { Secret } from '../../base/secret.ts'
import { CreateUserInput, ListUsersQuery, UpdateUserInput, User, UserList, UserParams } from '../../contract/users.ts'
import { createUser } from '../../identity/create-user.ts'
import { deleteUser } from '../../identity/delete-principal.ts'
import { directoryPosition, findEntry, listEntries } from '../../identity/principal-directory.ts'
import { updateUser } from '../../identity/update-user.ts'
import { cutPage, decodePageToken, DirectoryPagePosition } from '../page-token.ts'
import { presentUser } from '../present/principal.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const path = '/v1/users/:user'

export const userRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/users',
    { schema: { summary: 'Create a user', body: CreateUserInput, response: answers(User) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.create')
      const { password, ...input } = request.body
      const secret = password === undefined ? undefined : new Secret(password)
      return presentUser(await createUser(deps, actor, { ...input, password: secret }))
    },
  )

  app.get(
    '/v1/users',
    { schema: { summary: 'List users', querystring: ListUsersQuery, response: answers(UserList) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.read')
      const { pageSize, pageToken, ...filter } = request.query
      const after = decodePageToken(pageToken, DirectoryPagePosition)
      const page = { limit: pageSize + 1, after }
      const found = await listEntries(deps, actor.workspaceId, { kind: 'user', ...filter }, page)
      const { rows, nextPageToken } = cutPage(found, pageSize, directoryPosition)
      return { users: rows.map(presentUser), nextPageToken }
    },
  )

  app.get(
    path,
    { schema: { summary: 'Read a user', params: UserParams, response: answers(User) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.read')
      return presentUser(await findEntry(deps, actor.workspaceId, 'user', request.params.user))
    },
  )

  app.patch(
    path,
    {
      schema: {
        summary: 'Change, activate or deactivate a user',
        params: UserParams,
        body: UpdateUserInput,
        response: answers(User),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.update')
      const { id } = await findEntry(deps, actor.workspaceId, 'user', request.params.user)
      return presentUser(await updateUser(deps, actor, id, request.body))
    },
  )

  app.delete(
    path,
    { schema: { summary: 'Delete a user', params: UserParams, response: answers(z.object({})) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.delete')
      const { id } = await findEntry(deps, actor.workspaceId, 'user', request.params.user)
      await deleteUser(deps, actor, id)
      return {}
    },
  )
}
