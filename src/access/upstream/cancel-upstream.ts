import type { LoginGrant } from '../login-grant.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import type { DialOptions } from '../../dialer/dial.ts'
import type { BackendKeyData } from '../../pgwire/backend-messages.ts'
import { writeCancelRequest } from '../../pgwire/frontend-messages.ts'
import type { NativeGrant } from '../native-grant.ts'
import { dialGrant } from './dial-grant.ts'

/**
 * Sends a CancelRequest to the upstream of a session, over the same route and TLS, and waits until the upstream closes: only
 * then has it signalled the backend, and only then may the client learn that its request was processed, or the cancellation
 * could hit the client's next query.
 */
export async function cancelUpstream(
  grant: LoginGrant | NativeGrant,
  backendKey: BackendKeyData,
  dialOptions: DialOptions,
  masterKey: MasterKey,
): Promise<void> {
  const socket = await dialGrant(dialOptions, grant, masterKey)
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
    socket.write(writeCancelRequest(backendKey.pid, backendKey.key))
  })
}
