import type { Command } from 'commander'
import { z } from 'zod'
import { InstanceMakerList } from '../../../contract/instance-permissions.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { showDone } from '../../output.ts'
import { addPrincipalOptions, isPrincipal, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'revoke-create',
  summary: 'Take CAN_CREATE back from a principal; what it created stays',
  define: (command: Command) => void addPrincipalOptions(command),
  run,
}

async function run(cli: Cli, named: PrincipalOptions): Promise<void> {
  const reference = principalOf(named)
  const api = await signedIn(cli)
  const makers = await readPages(undefined, async (query) => {
    const list = await api.call({ method: 'GET', path: '/v1/instanceMakers', query, answer: InstanceMakerList })
    return { items: list.instanceMakers, nextPageToken: list.nextPageToken }
  })
  const name = Object.values(reference)[0]
  const found = makers.find(({ principal }) => isPrincipal(reference, principal))
  if (found === undefined) {
    throw new CliError('absent', `${name} was not given CAN_CREATE`, {
      hint: '`postern permission creators` shows who was.',
    })
  }
  const answer = await api.call({
    method: 'DELETE',
    path: path`/v1/instanceMakers/${found.principal.id}`,
    answer: z.object({}),
  })
  showDone(cli, answer, `${name} may not create managed instances any more.`)
}
