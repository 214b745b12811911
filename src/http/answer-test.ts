import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ConnectionReport, ConnectionTestEvent } from '../contract/connection-reports.ts'
import type { TestOptions } from '../instances/test-connection.ts'
import { signalOf, streamLines, wantsLines } from './stream-lines.ts'

/**
 * Answers a connection test: as one report, or line by line as its stages run when the caller asks for
 * `application/x-ndjson`. The test ends when the caller leaves.
 */
export async function answerTest(
  request: FastifyRequest,
  reply: FastifyReply,
  run: (options: TestOptions) => Promise<ConnectionReport>,
): Promise<ConnectionReport | FastifyReply> {
  if (!wantsLines(request)) return run({ signal: signalOf(request, reply) })
  return streamLines<ConnectionTestEvent>(request, reply, async (tell, signal) => {
    const report = await run({ signal, onStage: (dataSource, stage) => tell({ type: 'stage', dataSource, stage }) })
    return { type: 'report', report }
  })
}
