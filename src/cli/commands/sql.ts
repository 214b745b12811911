import type { Command } from 'commander'
import { ERRORS, type ErrorCode } from '../../base/error-table.ts'
import { CancelSqlAnswer, SqlEvent, type ExecuteSqlInput } from '../../contract/sql.ts'
import { path, type ApiClient } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { wholeNumber } from '../option-values.ts'
import { readTextFile } from '../read-secret.ts'
import { signedIn } from '../sign-in.ts'
import { CsvResults } from '../sql/csv-results.ts'
import { JsonResults } from '../sql/json-results.ts'
import { markedPlace } from '../sql/marked-place.ts'
import type { ShowResults } from '../sql/show-results.ts'
import { TableResults } from '../sql/table-results.ts'
import type { Verb } from '../verb.ts'

export const verb: Verb = {
  usage: 'sql <instance>',
  summary: 'Run SQL on an instance: on a read-only data source, unless another is named',
  define,
  run,
}

/** The server ends a statement at its own limit; this only ends the waiting for a server that does not. */
const LONGEST_MS = 25 * 60 * 60 * 1000

function define(command: Command): void {
  command
    .option('-c, --command <sql>', 'the SQL')
    .option('-f, --file <file>', 'file with the SQL (default: standard input)')
    .option('--database <name>', 'database (default: that of the data source)')
    .option('--data-source <name>', 'data source to use, by name or id')
    .option('--admin', 'use the admin data source')
    .option('--as-myself', 'log in to Postgres as yourself')
    .option('--role <name>', 'with --as-myself: Postgres role, such as that of a group')
    .option('--limit <rows>', 'rows to answer at most', wholeNumber(1))
    .option('--timeout <seconds>', 'time that the statement may take', wholeNumber(1))
    .option('--csv', 'write the rows as CSV')
    .addHelpText(
      'after',
      `
Ctrl-C cancels the statement in the database.
On a terminal a result that is too wide for it is shown value by value.`,
    )
}

interface Options {
  readonly command?: string
  readonly file?: string
  readonly database?: string
  readonly dataSource?: string
  readonly admin?: true
  readonly asMyself?: true
  readonly role?: string
  readonly limit?: number
  readonly timeout?: number
  readonly csv?: true
}

async function run(cli: Cli, instance: string, options: Options): Promise<number> {
  const statement = await readStatement(cli, options)
  const body = inputOf(statement, options)
  const api = await signedIn(cli)
  const results = resultsFor(cli, options)
  const execution = new Execution(cli, api)
  const stopListening = cli.terminal.onInterrupt(() => execution.interrupt())
  try {
    await api.stream(
      {
        method: 'POST',
        path: path`/v1/instances/${instance}/sql:execute`,
        body,
        answer: SqlEvent,
        timeoutMs: LONGEST_MS,
      },
      (event) => {
        execution.take(event)
        results.take(event)
      },
    )
  } finally {
    stopListening()
  }
  results.finish()
  return execution.conclude(statement)
}

async function readStatement(cli: Cli, { command, file }: Options): Promise<string> {
  if (command !== undefined && file !== undefined) throw usage('--command and --file exclude each other')
  if (command !== undefined) return command
  if (file !== undefined && file !== '-') return readTextFile(file, '--file')
  if (cli.terminal.isInteractive && file === undefined) cli.terminal.note('Type SQL, and Ctrl-D at the end.')
  const chunks: Buffer[] = []
  for await (const chunk of cli.terminal.stdin) chunks.push(Buffer.from(chunk))
  const statement = Buffer.concat(chunks).toString('utf8')
  if (statement.trim() === '') throw usage('there is no SQL on standard input')
  return statement
}

function inputOf(statement: string, options: Options): ExecuteSqlInput {
  const { admin, asMyself, dataSource, role, database, limit, timeout } = options
  const named = [admin && '--admin', asMyself && '--as-myself', dataSource !== undefined && '--data-source'].filter(
    Boolean,
  )
  if (named.length > 1) throw usage(`${named.join(' and ')} exclude each other`)
  if (role !== undefined && !asMyself) throw usage('--role needs --as-myself')
  const limits = {
    ...(limit !== undefined && { maxRows: limit }),
    ...(timeout !== undefined && { timeoutSeconds: timeout }),
  }
  return {
    statement,
    ...(admin && { source: 'admin' as const }),
    ...(asMyself && { source: 'self' as const }),
    ...(dataSource !== undefined && { dataSourceId: dataSource }),
    ...(role !== undefined && { role }),
    ...(database !== undefined && { database }),
    ...(Object.keys(limits).length > 0 && { limits }),
  }
}

function resultsFor(cli: Cli, { csv }: Options): ShowResults {
  if (csv) return new CsvResults(cli.terminal)
  return cli.output === 'json' ? new JsonResults(cli.terminal) : new TableResults(cli.terminal)
}

/** What becomes of the statement: how to cancel it, and how it ended. */
class Execution {
  readonly #cli: Cli
  readonly #api: ApiClient
  #id: string | undefined
  #isInterrupted = false
  #error: Extract<SqlEvent, { type: 'error' }> | undefined
  #end: Extract<SqlEvent, { type: 'end' }> | undefined

  constructor(cli: Cli, api: ApiClient) {
    this.#cli = cli
    this.#api = api
  }

  take(event: SqlEvent): void {
    if (event.type === 'start') this.#id = event.executionId
    else if (event.type === 'error') this.#error = event
    else if (event.type === 'end') this.#end = event
    // Ctrl-C came before there was anything to cancel.
    if (event.type === 'start' && this.#isInterrupted) this.#cancel()
  }

  /** The answer goes on until the database has obeyed. A second Ctrl-C does not wait: leaving cancels, too. */
  interrupt(): void {
    if (this.#isInterrupted) process.exit(130)
    this.#isInterrupted = true
    this.#cli.terminal.note('Cancelling…')
    this.#cancel()
  }

  conclude(statement: string): number {
    const { terminal } = this.#cli
    const end = this.#end
    if (end === undefined) {
      throw new CliError('unreachable', 'the answer was cut off before its end', {
        hint: 'The statement was cancelled if it still ran; `postern audit list` shows it.',
      })
    }
    if (end.truncated === 'rows') {
      const shown = end.rows === 1 ? 'row is' : `${end.rows} rows are`
      terminal.note(`Only the first ${shown} shown. Ask for more with --limit.`)
    } else if (end.truncated === 'bytes') {
      terminal.note(`Only the first ${end.rows} rows are shown: they are as large as an answer may be. Ask for less.`)
    }
    if (this.#error === undefined) return 0
    const { code, message, hint, line, column } = this.#error
    if (end.state === 'CANCELLED') {
      throw new CliError('interrupted', 'the statement was cancelled in the database', { code })
    }
    if (line !== null && column !== null) terminal.note(markedPlace(statement, line, column))
    const kind = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].kind : 'upstream'
    throw new CliError(kind, message, { code, ...(hint !== null && { hint }) })
  }

  #cancel(): void {
    if (this.#id === undefined) return
    const request = {
      method: 'POST',
      path: path`/v1/sqlExecutions/${this.#id}:cancel`,
      answer: CancelSqlAnswer,
    } as const
    this.#api
      .call(request)
      .catch(() => this.#cli.terminal.note('It could not be cancelled; press Ctrl-C again to leave.'))
  }
}

function usage(message: string): CliError {
  return new CliError('caller', message, { hint: 'See `postern sql --help`.' })
}
