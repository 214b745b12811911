import { DataSourceList, type DataSource } from '../../../contract/data-sources.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { placeOf } from '../../data-source/data-source-fields.ts'
import { showList } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list <instance>',
  summary: 'List the data sources of an instance, the admin one first',
  run,
}

const columns: readonly Column<DataSource>[] = [
  { title: 'NAME', text: ({ name }) => name, keep: true },
  { title: 'TYPE', text: ({ type }) => type },
  { title: 'LEADS TO', text: placeOf, keep: true },
  { title: 'USER', text: ({ username }) => username },
  { title: 'TLS', text: ({ tlsMode }) => tlsMode },
  { title: 'SSH', text: ({ ssh }) => ssh.map(({ host }) => host).join(', ') },
  { title: 'TESTED', text: ({ tested }) => (tested ? 'yes' : 'no') },
]

async function run(cli: Cli, instanceName: string): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/instances/${instanceName}/dataSources`
  const { dataSources } = await api.call({ method: 'GET', path: place, answer: DataSourceList })
  showList(cli, dataSources, columns, `Instance ${instanceName} is managed: Postern reaches it by itself.`)
}
