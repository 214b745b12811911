import type { Command } from 'commander'
import { z } from 'zod'
import { InstancePermissionList } from '../../../contract/instance-permissions.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { showDone } from '../../output.ts'
import { addPrincipalOptions, isPrincipal, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'revoke <instance>',
  summary: 'Take back what a principal was granted on an instance',
  define: (command: Command) => void addPrincipalOptions(command),
  run,
}

async function run(cli: Cli, instance: string, named: PrincipalOptions): Promise<void> {
  const reference = principalOf(named)
  const api = await signedIn(cli)
  const granted = await readPages(undefined, async (query) => {
    const list = await api.call({
      method: 'GET',
      path: path`/v1/instances/${instance}/permissions`,
      query,
      answer: InstancePermissionList,
    })
    return { items: list.permissions, nextPageToken: list.nextPageToken }
  })
  const name = Object.values(reference)[0]
  const found = granted.find(({ principal }) => isPrincipal(reference, principal))
  if (found === undefined) {
    throw new CliError('absent', `${name} was granted nothing on ${instance}`, {
      hint: `\`postern permission list ${instance}\` shows who was.`,
    })
  }
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instances/${instance}/permissions/${found.principal.id}`,
    answer: z.object({}),
  })
  showDone(cli, answer, `${name} has no permission of its own on ${instance} any more.`)
}
