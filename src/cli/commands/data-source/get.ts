import { DataSource } from '../../../contract/data-sources.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { dataSourceFields } from '../../data-source/data-source-fields.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'get <instance> <data-source>',
  summary: 'Show one data source',
  run,
}

async function run(cli: Cli, instanceName: string, name: string): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/instances/${instanceName}/dataSources/${name}`
  const source = await api.call({ method: 'GET', path: place, answer: DataSource })
  showItem(cli, source, dataSourceFields(source))
}
