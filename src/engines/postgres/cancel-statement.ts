import { dial, type DialOptions } from '../../dialer/dial.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { int32 } from '../../pgwire/message-fields.ts'
import { writeCancelRequest } from '../../pgwire/frontend-messages.ts'

/**
 * Sends a CancelRequest over the same route and TLS, and resolves when the server closes: only then has it signalled the
 * session, and only then may another statement run in it.
 * @see https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export async function cancelStatement(
  route: DataSourceRoute,
  backendKey: { readonly processId: number; readonly secretKey: number },
  dialOptions: DialOptions,
): Promise<void> {
  const socket = await dial(route, dialOptions)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => socket.destroy(), dialOptions.timeoutMs)
    socket.setHandlers({
      onData: () => socket.destroy(),
      onDrain: () => {},
      onEnd: () => socket.destroy(),
      onClose: () => {
        clearTimeout(timer)
        resolve()
      },
    })
    socket.write(writeCancelRequest(backendKey.processId, int32(backendKey.secretKey)))
  })
}
