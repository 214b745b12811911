import { Workspace } from '../../../contract/workspaces.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { workspaceFields } from './workspace-fields.ts'

export const verb: Verb = { usage: 'get <workspace>', summary: 'Show one workspace, by name or id', run }

async function run(cli: Cli, reference: string): Promise<void> {
  const api = await signedIn(cli)
  const workspace = await api.call({ method: 'GET', path: path`/v1/workspaces/${reference}`, answer: Workspace })
  showItem(cli, workspace, workspaceFields(workspace))
}
