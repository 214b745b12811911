import type { Command } from 'commander'
import { Instance } from '../../../contract/instances.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { confirm } from '../../prompt.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'remove <instance> <data-source>',
  summary: 'Remove a read-only data source with its secrets',
  define,
  run,
}

function define(command: Command): void {
  command.option('--etag <etag>', 'refuse it if the instance has another etag by now').option('--yes', 'do not ask')
}

interface Options {
  readonly etag?: string
  readonly yes?: true
}

async function run(cli: Cli, instanceName: string, name: string, { etag, yes }: Options): Promise<void> {
  const api = await signedIn(cli)
  if (!yes) await confirm(cli.terminal, `Remove data source ${name} of ${instanceName}?`)
  const place = path`/v1/instances/${instanceName}/dataSources/${name}`
  const answer = await api.call({ method: 'DELETE', path: place, query: { etag }, answer: Instance })
  showDone(cli, answer, `Data source ${name} of ${instanceName} is removed.`)
}
