import { Me } from '../../contract/service-principals.ts'
import type { Cli } from '../cli.ts'
import { showItem } from '../output.ts'
import { signedIn } from '../sign-in.ts'

export const usage = 'whoami'
export const summary = 'Show who the commands act as'

export async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const me = await api.call({ method: 'GET', path: '/v1/me', answer: Me })
  showItem(cli, me, [
    ['Name', me.name],
    ['Kind', me.kind.replace('_', ' ')],
    ['Workspace role', me.workspaceRole],
    ['Workspace id', me.workspaceId],
    ['Id', me.id],
    ['Host', api.endpoint.origin],
  ])
}
