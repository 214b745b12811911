import type { Cli } from '../cli.ts'
import { parseOrigin } from '../endpoint.ts'
import { showDone } from '../output.ts'
import { deleteSession } from '../session.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'logout',
  summary: 'Forget the stored sign-in',
  run,
}

async function run(cli: Cli): Promise<void> {
  const origin = parseOrigin(cli.host)
  const signedOut = await deleteSession(cli.environment, origin)
  showDone(
    cli,
    { host: origin, signedOut },
    signedOut ? `Signed out of ${origin}.` : `You were not signed in at ${origin}.`,
  )
}
