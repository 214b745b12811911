import type { Command } from 'commander'
import { SyncRun } from '../../contract/catalog.ts'
import { path, type ApiClient } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { showJson } from '../output.ts'
import { printable } from '../printable.ts'
import { signedIn } from '../sign-in.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'sync <instance>',
  summary: 'Read the catalogue of an instance: its databases, schemas and tables',
  define,
  run,
}

/** A reading may take hours; waiting for it ends with it. */
const LONGEST_MS = 25 * 60 * 60 * 1000

function define(command: Command): void {
  command
    .option('--database <name...>', 'only these databases')
    .option('--no-wait', 'return at once; the reading goes on')
    .option('--cancel <run>', 'end a reading instead; what it has read stays')
    .addHelpText('after', '\nCtrl-C ends the waiting, not the reading.')
}

interface Options {
  readonly database?: readonly string[]
  readonly wait: boolean
  readonly cancel?: string
}

async function run(cli: Cli, instance: string, { database, wait, cancel }: Options): Promise<number> {
  const api = await signedIn(cli)
  if (cancel !== undefined) {
    const cancelled = path`/v1/instances/${instance}/syncRuns/${cancel}:cancel`
    return conclude(cli, instance, await api.call({ method: 'POST', path: cancelled, answer: SyncRun }))
  }
  const call = {
    method: 'POST',
    path: path`/v1/instances/${instance}:sync`,
    body: database === undefined ? {} : { databases: database },
    answer: SyncRun,
  } as const
  return conclude(cli, instance, wait ? await watch(cli, api, instance, call) : await api.call(call))
}

async function watch(
  cli: Cli,
  api: ApiClient,
  instance: string,
  call: { readonly method: 'POST'; readonly path: string; readonly body: object; readonly answer: typeof SyncRun },
): Promise<SyncRun> {
  let latest: SyncRun | undefined
  const stopListening = cli.terminal.onInterrupt(() => {
    cli.terminal.note(
      `\nThe reading goes on.${latest === undefined ? '' : ` End it with \`postern sync ${instance} --cancel ${latest.id}\`.`}`,
    )
    process.exit(130)
  })
  try {
    await api.stream({ ...call, timeoutMs: LONGEST_MS }, (syncRun) => {
      latest = syncRun
      if (cli.terminal.isInteractive) cli.terminal.write(`\r${progressText(syncRun)}\u001b[K`)
    })
  } finally {
    stopListening()
    if (cli.terminal.isInteractive) cli.terminal.write('\r\u001b[K')
  }
  if (latest !== undefined) return latest
  throw new CliError('unreachable', 'the answer was cut off before its end', { hint: 'The reading goes on by itself.' })
}

function progressText(syncRun: SyncRun): string {
  const { state, databasesDone, databasesTotal, tablesDone } = syncRun
  if (state === 'QUEUED') return 'waiting for its turn'
  const total = databasesTotal === null ? '' : ` of ${databasesTotal}`
  return `${databasesDone}${total} databases, ${tablesDone} tables`
}

function conclude(cli: Cli, instance: string, syncRun: SyncRun): number {
  const { terminal, output } = cli
  if (output === 'json') showJson(cli, syncRun)
  for (const { database, schema, message, code } of syncRun.problems) {
    const what = schema === null || schema === '' ? database : `${database}.${schema}`
    terminal.note(`not read: ${printable(what)}: ${printable(message)} [${code}]`)
  }
  const unlisted = syncRun.problemCount - syncRun.problems.length
  if (unlisted > 0) terminal.note(`… and ${unlisted} more that could not be read`)
  switch (syncRun.state) {
    case 'FAILED':
      throw new CliError(
        'upstream',
        `the catalogue of ${instance} was not read: ${syncRun.failure ?? 'no reason is known'}`,
        {
          ...(syncRun.failureCode !== null && { code: syncRun.failureCode }),
          hint: `Correct that, then run \`postern sync ${instance}\` again.`,
        },
      )
    case 'DONE':
      terminal.note(
        `${instance}: ${counted(syncRun.databasesDone, 'database')}, ${counted(syncRun.schemasDone, 'schema')}, ${counted(syncRun.tablesDone, 'table')}.`,
      )
      return 0
    case 'CANCELLED':
      terminal.note(`${instance}: the reading was cancelled after ${counted(syncRun.databasesDone, 'database')}.`)
      return 0
    case 'QUEUED':
    case 'RUNNING':
      terminal.note(
        `${instance}: reading ${syncRun.id} ${syncRun.state === 'QUEUED' ? 'waits for its turn' : 'goes on'}.`,
      )
      return 0
  }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
