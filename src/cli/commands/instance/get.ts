import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { instanceFields } from './instance-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get <instance>',
  summary: 'Show one instance',
  run,
}

async function run(cli: Cli, name: string): Promise<void> {
  const api = await signedIn(cli)
  const instance = await api.call({ method: 'GET', path: path`/v1/instances/${name}`, answer: Instance })
  showItem(cli, instance, instanceFields(instance))
}
