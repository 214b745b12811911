import { SigningKeyList } from '../../../contract/signing-keys.ts'
import type { Cli } from '../../cli.ts'
import { signedIn } from '../../sign-in.ts'
import { showKeys } from './show-keys.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List the signing keys: next, current, previous',
  run,
}

async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const { keys } = await api.call({ method: 'GET', path: '/v1/keys', answer: SigningKeyList })
  showKeys(cli, keys)
}
