import { SigningKeyList } from '../../../contract/signing-keys.ts'
import type { Cli } from '../../cli.ts'
import { showList } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import { keyColumns } from './key-columns.ts'

export const usage = 'rotate'
export const summary = 'Publish new signing keys; they sign after ten minutes, and what the old ones signed stays valid'

export async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const { keys } = await api.call({ method: 'POST', path: '/v1/keys:rotate', body: {}, answer: SigningKeyList })
  showList(cli, keys, keyColumns, 'There are no signing keys.')
}
