import type { Command } from 'commander'
import { InstanceMaker } from '../../../contract/instance-permissions.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { addPrincipalOptions, principalOf, type PrincipalOptions } from '../../principal-options.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'grant-create',
  summary: 'Let a principal create managed instances (CAN_CREATE)',
  define: (command: Command) => void addPrincipalOptions(command),
  run,
}

async function run(cli: Cli, named: PrincipalOptions): Promise<void> {
  const principal = principalOf(named)
  const api = await signedIn(cli)
  const maker = await api.call({
    method: 'POST',
    path: '/v1/instanceMakers',
    body: { principal },
    answer: InstanceMaker,
  })
  showDone(cli, maker, `${maker.principal.name} may create managed instances.`)
}
