import { z } from 'zod'
import { path } from '../../api-client.ts'
import type { Cli } from '../../cli.ts'
import { showDone } from '../../output.ts'
import { signedIn } from '../../sign-in.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'unassign <principal-id>',
  summary: 'Take a principal out of the workspace, by id as `postern workspace assignments` shows it',
  run,
}

async function run(cli: Cli, principalId: string): Promise<void> {
  const api = await signedIn(cli)
  const place = path`/v1/workspaceAssignments/${principalId}`
  const answer = await api.call({ method: 'DELETE', path: place, answer: z.object({}) })
  showDone(cli, answer, `Principal ${principalId} has no assignment of its own any more.`)
}
