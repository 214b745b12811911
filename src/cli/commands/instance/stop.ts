import type { Command } from 'commander'
import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { waitForInstance } from '../../wait-for-instance.ts'
import { instanceFields } from './instance-fields.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'stop <instance>',
  summary: 'Stop a managed instance; its sessions end, its data stays',
  define,
  run,
}

function define(command: Command): void {
  command.option('--wait', 'wait until the instance is STOPPED')
}

async function run(cli: Cli, name: string, { wait }: { readonly wait?: true }): Promise<void> {
  const api = await signedIn(cli)
  const answer = await api.call({ method: 'POST', path: path`/v1/instances/${name}:stop`, body: {}, answer: Instance })
  const instance = wait ? await waitForInstance(cli, api, name, 'STOPPED') : answer
  showItem(cli, instance, instanceFields(instance))
}
