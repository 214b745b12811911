import type { Cli } from '../../cli.ts'
import { CliError } from '../../cli-error.ts'
import { showDone } from '../../output.ts'
import { readProfile, removeProfile } from '../../profile.ts'
import { deleteSession } from '../../session.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'remove <name>',
  summary: 'Forget a profile and its sign-in on this machine',
  run,
}

async function run(cli: Cli, name: string): Promise<void> {
  const { environment } = cli
  const profile = await readProfile(environment, name)
  if (profile === undefined) {
    throw new CliError('absent', `there is no profile ${name}`, { hint: 'See `postern profile list`.' })
  }
  await deleteSession({ environment, origin: profile.host, profile: name })
  await removeProfile(environment, name)
  showDone(cli, { name, host: profile.host }, `Profile ${name} is removed.`)
}
