import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import type { ConnectedSocket, Transport } from '../../transport/byte-socket.ts'
import { connectFailure } from '../dial-errors.ts'
import type { SshTunnels, TunnelRequest } from '../ssh-tunnels.ts'
import {
  failureOf,
  LINE_MAX_BYTES,
  toOrder,
  type TunnelLine,
  type TunnelOrder,
  type TunnelTicket,
} from './tunnel-messages.ts'
import { TunnelSocket } from './tunnel-socket.ts'

interface ClientOptions {
  readonly transport: Transport
  /**
   * Orders a stream over a pipe that nobody else reads.
   * @throws PosternError when there is no process to have it from
   */
  readonly order: (order: TunnelOrder) => Promise<TunnelTicket>
}

/** The tunnels answer by themselves when the time is over, and know why; only when they do not is it told here. */
const GRACE_MS = 500

/** {@link SshTunnels} of a process that does not speak SSH itself: another one does, and hands over streams by a Unix socket. */
export class TunnelClient implements SshTunnels {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  async connect(request: TunnelRequest): Promise<ConnectedSocket> {
    const deadlineAt = performance.now() + request.timeoutMs
    const ticket = await withDeadline(
      this.#options.order(toOrder(withoutGrace(request))),
      request.timeoutMs,
      'UPSTREAM_SSH_CLOSED',
      'the process that has the SSH tunnels did not answer in time',
    )
    const leftMs = Math.max(1, deadlineAt - performance.now())
    const target = { kind: 'unix', path: ticket.path } as const
    const socket = await this.#options.transport.connect(target, leftMs).catch((thrown: unknown) => {
      throw noTunnels(connectFailure(thrown))
    })
    try {
      await readUntilOpen(socket, ticket.ticket, request, Math.max(1, deadlineAt - performance.now()))
    } catch (thrown) {
      socket.destroy()
      throw thrown
    }
    return new TunnelSocket(socket)
  }
}

/** The tunnels get a little less time than there is, so that their answer is not too late. */
function withoutGrace(request: TunnelRequest): TunnelRequest {
  return { ...request, timeoutMs: Math.max(request.timeoutMs / 2, request.timeoutMs - GRACE_MS) }
}

/** Shows the ticket and reads lines until the stream is open, or the reason why not. */
function readUntilOpen(
  socket: ConnectedSocket,
  ticket: string,
  { onStage, signal }: TunnelRequest,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let unread = Buffer.alloc(0)
    let isOver = false
    const settle = (finish: () => void): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      finish()
    }
    const fail = (error: PosternError): void => settle(() => reject(error))
    const onAbort = (): void => fail(new PosternError('CANCELLED', 'the attempt to reach the database was cancelled'))
    const timer = setTimeout(
      () => fail(new PosternError('UPSTREAM_SSH_UNREACHABLE', 'the SSH tunnel was not open in time')),
      timeoutMs,
    )
    const hear = (line: TunnelLine): void => {
      if (line.kind === 'stage') onStage?.(line.stage, line.detail)
      else if (line.kind === 'failed') fail(failureOf(line))
      else settle(resolve)
    }
    socket.setHandlers({
      onData(chunk) {
        const lines = Buffer.concat([unread, chunk]).toString('latin1').split('\n')
        unread = Buffer.from(lines.pop() ?? '', 'latin1')
        for (const line of lines) hear(JSON.parse(Buffer.from(line, 'latin1').toString()) as TunnelLine)
        if (unread.length > LINE_MAX_BYTES) fail(noTunnels(undefined))
      },
      onDrain() {},
      onEnd: () => fail(noTunnels(undefined)),
      onClose: (error) => fail(noTunnels(error)),
    })
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
    const line = Buffer.from(`${ticket}\n`)
    if (socket.write(line) !== line.length) fail(noTunnels(undefined))
  })
}

function noTunnels(cause: unknown): PosternError {
  return new PosternError('UPSTREAM_SSH_CLOSED', 'the process that has the SSH tunnels ended', {
    cause,
    hint: 'Try again: it is started again by itself.',
  })
}
