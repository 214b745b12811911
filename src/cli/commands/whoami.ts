import { Me } from '../../contract/service-principals.ts'
import type { Cli } from '../cli.ts'
import { showItem } from '../output.ts'
import { signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'whoami',
  summary: 'Show who the commands act as',
  run,
}

async function run(cli: Cli): Promise<void> {
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
