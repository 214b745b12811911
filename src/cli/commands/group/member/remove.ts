import { Group } from '../../../../contract/groups.ts'
import { path } from '../../../api-client.ts'
import type { Cli } from '../../../cli.ts'
import { showDone } from '../../../output.ts'
import { signedIn } from '../../../sign-in.ts'
import type { Verb } from '../../../verb.ts'
import { memberCountText } from './member-count-text.ts'

export const verb: Verb = {
  usage: 'remove <group> <member-id>',
  summary: 'Remove a direct member, by id as `postern group member list` shows it',
  run,
}

async function run(cli: Cli, reference: string, memberId: string): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/groups/${reference}/members/${memberId}`
  const group = await api.call({ method: 'DELETE', path: place, answer: Group })
  showDone(cli, group, `Group ${group.displayName} has ${memberCountText(group)} now.`)
}
