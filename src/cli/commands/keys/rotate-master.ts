import { MasterKeyRotation } from '../../../contract/master-key.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'rotate-master',
  summary: 'Exchange the master key and seal every stored secret anew, while everything runs',
  run,
}

/** Thousands of values a second; a large deployment takes minutes. */
const TIMEOUT_MS = 30 * 60_000

async function run(cli: Cli): Promise<void> {
  const api = await signedIn(cli)
  const done = await api.call({
    method: 'POST',
    path: '/v1/masterKey:rotate',
    body: {},
    answer: MasterKeyRotation,
    timeoutMs: TIMEOUT_MS,
  })
  showItem(cli, done, [
    ['Sealed anew', String(done.resealed)],
    ['Not readable', String(done.unreadable)],
  ])
}
