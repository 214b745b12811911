import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { instanceFields } from './instance-fields.ts'

export const usage = 'get <instance>'
export const summary = 'Show one instance'

export async function run(cli: Cli, name: string): Promise<void> {
  const api = await signedIn(cli)
  const instance = await api.call({ method: 'GET', path: path`/v1/instances/${name}`, answer: Instance })
  showItem(cli, instance, instanceFields(instance))
}
