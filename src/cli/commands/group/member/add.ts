import type { Command } from 'commander'
import { Group } from '../../../../contract/groups.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showDone } from '../../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../../principal-options.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'
import { memberCountText } from './member-count-text.ts'

export const verb: Verb = {
  usage: 'add <group>',
  summary: 'Add a member: a user, a service principal or another group',
  define: (command: Command) => void addPrincipalOptions(command),
  run,
}

async function run(cli: Cli, reference: string, options: PrincipalOptions): Promise<void> {
  const body = { members: [principalOf(options)] }
  const api = await signedIn(cli)
  const group = await api.call({ method: 'POST', path: path`/v1/groups/${reference}/members`, body, answer: Group })
  showDone(cli, group, `Group ${group.displayName} has ${memberCountText(group)} now.`)
}
