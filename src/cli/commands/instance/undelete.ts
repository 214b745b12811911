import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { instanceFields } from './instance-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'undelete <instance>',
  summary: 'Bring back a deleted instance as it was',
  run,
}

async function run(cli: Cli, name: string): Promise<void> {
  const api = await signedIn(cli)
  const call = { method: 'POST', path: path`/v1/instances/${name}:undelete`, body: {}, answer: Instance } as const
  const instance = await api.call(call)
  showItem(cli, instance, instanceFields(instance))
}
