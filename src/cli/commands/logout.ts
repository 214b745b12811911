import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { resolveEndpoint } from '../endpoint.ts'
import { showDone } from '../output.ts'
import { deleteSession, readSession } from '../session.ts'
import { sessionPlaceOf } from '../sign-in.ts'
import { revoke } from '../token-endpoint.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'logout',
  summary: 'End the stored sign-in, here and at the server',
  run,
}

async function run(cli: Cli): Promise<void> {
  const { origin } = await resolveEndpoint(cli.host, undefined)
  const place = sessionPlaceOf(cli, origin)
  const isRevoked = await endAtServer(cli, origin)
  const signedOut = await deleteSession(place)
  showDone(
    cli,
    { host: origin, signedOut, revoked: isRevoked },
    signedOut ? `Signed out of ${origin}.` : `You were not signed in at ${origin}.`,
  )
}

/** The sign-in is forgotten here whatever becomes of this: a server that is away must keep nobody signed in. */
async function endAtServer(cli: Cli, origin: string): Promise<boolean> {
  try {
    const session = await readSession(sessionPlaceOf(cli, origin))
    if (session?.refreshToken === undefined) return false
    const endpoint = await resolveEndpoint(origin, cli.caFile ?? session.caFile)
    await revoke({ endpoint, clock: cli.clock }, session.refreshToken)
    return true
  } catch (thrown) {
    if (!(thrown instanceof CliError)) throw thrown
    cli.terminal.note(`The sign-in could not be ended at ${origin}: ${thrown.message}.`)
    return false
  }
}
