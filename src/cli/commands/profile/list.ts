import type { Cli } from '../../cli.ts'
import { showList } from '../../output.ts'
import { listProfiles, type Profile } from '../../profile.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the profiles of this machine',
  run,
}

const columns: readonly Column<Profile>[] = [
  { title: 'NAME', text: ({ name }) => name, keep: true },
  { title: 'HOST', text: ({ host }) => host, keep: true },
  { title: 'CA FILE', text: ({ caFile }) => caFile },
]

async function run(cli: Cli): Promise<void> {
  showList(cli, await listProfiles(cli.environment), columns, 'There is no profile.')
}
