import { ConnectionTestEvent, type ConnectionReport } from '../../contract/connection-reports.ts'
import type { ApiClient } from '../api-client.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import { printable } from '../printable.ts'
import { unknownHostKey, withHostKeys } from './confirm-host-key.ts'
import type { DataSourceBody } from './read-data-source.ts'
import { showConclusion, showStage } from './show-connection-report.ts'

/** The server tests each data source within its own limit, and there may be several. */
export const connectionTestTimeoutMs = 300_000

/** A request that is answered by a connection test. */
export interface TestRequest {
  readonly method: 'POST' | 'PATCH'
  readonly path: string
  readonly query?: Readonly<Record<string, string | boolean>>
  readonly body?: unknown
}

/**
 * Runs a connection test and shows its stages as they run.
 * @param bodies the data sources of the request, whose SSH host keys are asked for
 * @throws CliError upstream when the test did not succeed, after showing why
 */
export async function runConnectionTest(
  cli: Cli,
  api: ApiClient,
  request: TestRequest,
  bodies: readonly DataSourceBody[],
): Promise<void> {
  const report = await withHostKeys(cli.terminal, bodies, () => testOnce(cli, api, request), unknownHostKey)
  showConclusion(cli, report)
  if (!report.ok) {
    throw new CliError('upstream', 'the connection test failed', { hint: 'Correct what the failed stage names.' })
  }
}

async function testOnce(cli: Cli, api: ApiClient, request: TestRequest): Promise<ConnectionReport> {
  let report: ConnectionReport | undefined
  let shown: string | undefined
  await api.stream({ ...request, answer: ConnectionTestEvent, timeoutMs: connectionTestTimeoutMs }, (event) => {
    if (event.type === 'report') report = event.report
    if (event.type !== 'stage' || cli.output === 'json') return
    if (shown !== undefined && shown !== event.dataSource) cli.terminal.print('')
    if (shown !== event.dataSource) cli.terminal.note(`Testing data source ${printable(event.dataSource)}`)
    shown = event.dataSource
    showStage(cli, event.stage)
  })
  if (report !== undefined) return report
  throw new CliError('unreachable', `${api.endpoint.origin} ended the test before its result`, {
    hint: 'Try again, and look at its log.',
  })
}
