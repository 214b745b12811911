import { SigningKeyList } from '../../../contract/signing-keys.ts'
import type { Cli } from '../../cli.ts'
import { signedIn } from '../../sign-in.ts'
import { showKeys } from './show-keys.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'rotate',
  summary: 'Publish new signing keys; they sign after ten minutes, and what the old ones signed stays valid',
  run,
}

async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const { keys } = await api.call({ method: 'POST', path: '/v1/keys:rotate', body: {}, answer: SigningKeyList })
  showKeys(cli, keys)
}
