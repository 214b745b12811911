import { Group } from '../../../contract/groups.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { groupFields } from './group-fields.ts'

export const verb: Verb = { usage: 'get <group>', summary: 'Show one group, by name or id', run }

async function run(cli: Cli, reference: string): Promise<void> {
  const api = await signedIn(cli)
  const group = await api.call({ method: 'GET', path: path`/v1/groups/${reference}`, answer: Group })
  showItem(cli, group, groupFields(group))
}
