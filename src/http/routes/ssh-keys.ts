import { z } from 'zod'
import { PageQuery } from '../../contract/paging.ts'
import { CreateSshKeyInput, SshKey, SshKeyList } from '../../contract/ssh-keys.ts'
import { createSshKey, deleteSshKey, listSshKeys } from '../../instances/ssh-keys.ts'
import { cutPage, decodePageToken } from '../page-token.ts'
import { presentSshKey } from '../present/ssh-key.ts'
import { actorOf, answers, type AddRoutes } from '../route.ts'

const params = z.object({ id: z.uuid() })

export const sshKeyRoutes: AddRoutes = (app, deps) => {
  app.post(
    '/v1/sshKeys',
    {
      schema: {
        summary: 'Make a key pair for SSH',
        body: CreateSshKeyInput.nullish(),
        response: answers(SshKey),
      },
    },
    async (request) => presentSshKey(await createSshKey(deps, actorOf(request), request.body?.title ?? '')),
  )

  app.get(
    '/v1/sshKeys',
    { schema: { summary: 'List the key pairs for SSH', querystring: PageQuery, response: answers(SshKeyList) } },
    async (request) => {
      const { pageSize, pageToken } = request.query
      const page = { limit: pageSize + 1, after: decodePageToken(pageToken, z.uuid()) }
      const found = await listSshKeys(deps, actorOf(request), page)
      const { rows, nextPageToken } = cutPage(found, pageSize, ({ id }) => id)
      return { sshKeys: rows.map(presentSshKey), nextPageToken }
    },
  )

  app.delete(
    '/v1/sshKeys/:id',
    { schema: { summary: 'Delete a key pair for SSH', params, response: answers(z.object({})) } },
    async (request) => {
      await deleteSshKey(deps, actorOf(request), request.params.id)
      return {}
    },
  )
}
