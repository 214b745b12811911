import type { Command } from 'commander'
import { SshKey } from '../../../contract/ssh-keys.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'create',
  summary: 'Make a key pair for SSH; add its public key to authorized_keys of the SSH server',
  define,
  run,
}

function define(command: Command): void {
  command.option('--title <text>', 'title for people')
}

async function run(cli: Cli, { title }: { readonly title?: string }): Promise<void> {
  const api = await signedIn(cli)
  const body = title === undefined ? {} : { title }
  const key = await api.call({ method: 'POST', path: '/v1/sshKeys', body, answer: SshKey })
  showItem(cli, key, [
    ['Id', key.id],
    ['Public key', key.publicKey],
  ])
}
