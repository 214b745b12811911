import { EngineList, type EngineDescription } from '../../../contract/engine-descriptions.ts'
import type { Cli } from '../../cli.ts'
import { showList } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the engines',
  run,
}

const columns: readonly Column<EngineDescription>[] = [
  { title: 'ENGINE', text: ({ engine }) => engine, keep: true },
  { title: 'TITLE', text: ({ title }) => title },
  { title: 'PORT', text: ({ defaultPort }) => (defaultPort === null ? 'HTTPS' : String(defaultPort)) },
  { title: 'TLS', text: ({ tlsModes }) => tlsModes.join(', ') },
  { title: 'SSH', text: ({ ssh }) => (ssh ? 'yes' : 'no') },
  { title: 'LOGIN', text: ({ loginMethods }) => loginMethods.join(', ') },
]

async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const { engines } = await api.call({ method: 'GET', path: '/v1/engines', answer: EngineList })
  showList(cli, engines, columns, 'There are no engines.')
}
