import { Option, type Command } from 'commander'
import { AuditEventList, type AuditEvent } from '../../../contract/audit-events.ts'
import type { Cli } from '../../cli.ts'
import { limitOption, pointInTime } from '../../option-values.ts'
import { showList, shownTime } from '../../output.ts'
import { readPages } from '../../read-pages.ts'
import { signedIn } from '../../sign-in.ts'
import type { Column } from '../../table.ts'
import type { Verb } from '../../verb.ts'

export const verb: Verb = {
  usage: 'list',
  summary: 'List audit events, newest first',
  define,
  run,
}

function define(command: Command): void {
  command
    .option('--action <action>', 'exactly this action, such as login or credential.issue')
    .addOption(new Option('--outcome <outcome>', 'how it ended').choices(['allowed', 'denied', 'failed']))
    .option('--actor <name>', 'name or id of who did it')
    .option('--target <name>', 'name or id of what it was done to')
    .option('--session-id <id>', 'one session on the gateway')
    .option('--since <time>', 'from this time on: 2026-11-23T04:35:00Z, or how long ago, such as 2h')
    .option('--until <time>', 'up to this time')
    .addOption(limitOption(100))
}

interface Options {
  readonly action?: string
  readonly outcome?: AuditEvent['outcome']
  readonly actor?: string
  readonly target?: string
  readonly sessionId?: string
  readonly since?: string
  readonly until?: string
  readonly limit: number
}

const columns: readonly Column<AuditEvent>[] = [
  { title: 'TIME', text: (event) => shownTime(event.occurredAt), keep: true },
  { title: 'ACTION', text: (event) => event.action, keep: true },
  { title: 'OUTCOME', text: (event) => (event.reason === null ? event.outcome : `${event.outcome}: ${event.reason}`) },
  { title: 'ACTOR', text: (event) => event.actor.name ?? event.actor.id },
  { title: 'TARGET', text: (event) => event.target.name ?? event.target.id },
]

async function run(cli: Cli, { limit, since, until, ...exact }: Options): Promise<void> {
  const now = cli.clock.now()
  const filters = {
    ...exact,
    since: since && pointInTime('--since', since, now),
    until: until && pointInTime('--until', until, now),
  }
  const api = await signedIn(cli)
  const events = await readPages(limit, async (page) => {
    const list = await api.call({
      method: 'GET',
      path: '/v1/auditEvents',
      query: { ...page, ...filters },
      answer: AuditEventList,
    })
    return { items: list.auditEvents, nextPageToken: list.nextPageToken }
  })
  showList(cli, events, columns, 'No audit event matches.')
}
