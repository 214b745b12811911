import { User } from '../../../contract/users.ts'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showItem } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'
import { userFields } from './user-fields.ts'

export const verb: Verb = { usage: 'get <user>', summary: 'Show one user, by e-mail or id', run }

async function run(cli: Cli, reference: string): Promise<void> {
  const api = await signedIn(cli)
  const user = await api.call({ method: 'GET', path: path`/v1/users/${reference}`, answer: User })
  showItem(cli, user, userFields(user))
}
