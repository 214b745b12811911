import { writeAuthenticationOk } from '../../pgwire/authentication-request.ts'
import type { ByteSocket, ByteSocketHandlers } from '../../transport/byte-socket.ts'
import { toDuplex } from '../../transport/duplex.ts'
import type { LoggedInSocket, RoleLoginCapability } from '../engine.ts'
import { adoptStatementClient } from './driver.ts'
import { translatePostgresError } from './errors.ts'
import { postgresSessionOf } from './session.ts'

const ADOPT_TIMEOUT_MS = 10_000
/** ReadyForQuery, idle (PostgreSQL, Message Formats). */
const READY_FOR_QUERY = Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49)

/**
 * The driver begins every session with a startup message. On a socket whose login is over, that message goes nowhere: it is
 * answered with what the server said after the login, and from then on every byte is the server's.
 */
export const adoptSession: RoleLoginCapability['adoptSession'] = async (route, loggedIn) => {
  const stream = toDuplex(answeringStartup(loggedIn))
  const client = await adoptStatementClient(route, stream, ADOPT_TIMEOUT_MS)
  const options = { dialer: loggedIn.dialer, secrets: {}, purpose: 'admin', timeoutMs: ADOPT_TIMEOUT_MS } as const
  try {
    return await postgresSessionOf(route, options, client, loggedIn.cancel)
  } catch (thrown) {
    stream.destroy()
    throw translatePostgresError(thrown)
  }
}

function answeringStartup({ socket, greeting, unread }: LoggedInSocket): ByteSocket {
  let handlers: ByteSocketHandlers | undefined
  let isStarted = false
  return {
    remoteAddress: socket.remoteAddress,
    remotePort: socket.remotePort,
    write(bytes) {
      if (isStarted) return socket.write(bytes)
      isStarted = true
      const answer = Buffer.concat([writeAuthenticationOk(), ...greeting, READY_FOR_QUERY, unread])
      queueMicrotask(() => handlers?.onData(answer))
      return bytes.length
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => socket.end(),
    destroy: () => socket.destroy(),
    setHandlers(next) {
      handlers = next
      socket.setHandlers(next)
    },
  }
}
