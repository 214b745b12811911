import type { Command } from 'commander'
import { SshKeyList, type SshKey } from '../../../contract/ssh-keys.ts'
import type { Cli } from '../../cli.ts'
import { limitOption } from '../../option-values.ts'
import { showList, shownTime } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the SSH keys of the workspace',
  define,
  run,
}

function define(command: Command): void {
  command.addOption(limitOption())
}

const columns: readonly Column<SshKey>[] = [
  { title: 'ID', text: ({ id }) => id, keep: true },
  { title: 'TITLE', text: ({ title }) => title },
  { title: 'USED BY', text: ({ usedBy }) => usedBy.join(', ') },
  { title: 'CREATED', text: ({ createdAt }) => shownTime(createdAt) },
  { title: 'PUBLIC KEY', text: ({ publicKey }) => publicKey, keep: true },
]

async function run(cli: Cli, { limit }: { readonly limit?: number }): Promise<void> {
  const api = await signedIn(cli)
  const keys = await readPages(limit, async (page) => {
    const list = await api.call({ method: 'GET', path: '/v1/sshKeys', query: { ...page }, answer: SshKeyList })
    return { items: list.sshKeys, nextPageToken: list.nextPageToken }
  })
  showList(cli, keys, columns, 'There are no SSH keys. Make one with `postern ssh-key create`.')
}
