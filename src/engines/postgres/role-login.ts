import { withDeadline } from '../../base/deadline.ts'
import { PosternError } from '../../base/errors.ts'
import type { LoginKey } from '../../crypto/login-key.ts'
import { ScramClient } from '../../crypto/scram.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { dial } from '../../dialer/dial.ts'
import { readAuthenticationRequest } from '../../pgwire/authentication-request.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { writeSaslInitialResponse, writeSaslResponse, writeStartupMessage } from '../../pgwire/frontend-messages.ts'
import { MessageReader } from '../../pgwire/message-reader.ts'
import type { ByteSocket } from '../../transport/byte-socket.ts'
import type { RoleLoginCapability } from '../engine.ts'

const MAX_LOGIN_MESSAGE_BYTES = 64 * 1024
const SCRAM = 'SCRAM-SHA-256'
/** invalid_password: the only refusal that says something about the login key (PostgreSQL appendix A). */
const INVALID_PASSWORD = '28P01'

/**
 * Tries whether the upstream role still has the password that belongs to a login key, by logging in with SCRAM and hanging up.
 * @returns false when the server refuses the proof or lets in without one
 * @throws PosternError UPSTREAM_* when that cannot be found out
 */
export const acceptsLoginKey: RoleLoginCapability['acceptsLoginKey'] = async (route, loginKey, options) => {
  const socket = await dial(route, { ...options.dialer, secrets: options.secrets, timeoutMs: options.timeoutMs })
  try {
    return await withDeadline(
      tryLogin(socket, route, loginKey),
      options.timeoutMs,
      'UPSTREAM_UNREACHABLE',
      'the database did not finish the login in time',
    )
  } finally {
    socket.destroy()
  }
}

async function tryLogin(socket: ByteSocket, route: DataSourceRoute, loginKey: LoginKey): Promise<boolean> {
  const next = messagesOf(socket)
  const scram = new ScramClient({ loginKey })
  let isProved = false
  send(
    socket,
    writeStartupMessage([
      ['user', route.username],
      ['database', route.database],
    ]),
  )
  for (;;) {
    const { type, body } = await next()
    if (type === 'N') continue
    if (type === 'E') return refused(body)
    const request = type === 'R' ? readAuthenticationRequest(body) : undefined
    if (request?.kind === 'ok') return isProved
    if (request?.kind === 'sasl' && request.mechanisms.includes(SCRAM)) {
      send(socket, writeSaslInitialResponse(SCRAM, scram.clientFirst()))
    } else if (request?.kind === 'sasl-continue') send(socket, writeSaslResponse(await scram.clientFinal(request.data)))
    else if (request?.kind === 'sasl-final') {
      scram.verifyServerFinal(request.data)
      isProved = true
    } else throw new PosternError('UPSTREAM_AUTH_UNSAFE', 'the database does not ask this Postgres role for SCRAM')
  }
}

function refused(body: Uint8Array): false {
  const sqlstate = readErrorFields(body)?.sqlstate
  if (sqlstate === INVALID_PASSWORD) return false
  throw new PosternError(
    'UPSTREAM_AUTH_FAILED',
    `the database does not admit this Postgres role from here (SQLSTATE ${sqlstate})`,
    { detail: { sqlstate } },
  )
}

function send(socket: ByteSocket, bytes: Uint8Array): void {
  // Login messages are far smaller than an empty send buffer.
  if (socket.write(bytes) !== bytes.length) throw closed()
}

function closed(cause?: Error): PosternError {
  return new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the session during the login', { cause })
}

/** Messages of the server one by one, for a dialogue in which each side waits for the other. */
function messagesOf(socket: ByteSocket): () => Promise<{ type: string; body: Uint8Array }> {
  const reader = new MessageReader({
    maxLength: () => MAX_LOGIN_MESSAGE_BYTES,
    maxUnreadBytes: 4 * MAX_LOGIN_MESSAGE_BYTES,
  })
  let end: PosternError | undefined
  let wake = () => {}
  const finish = (error?: Error) => {
    end ??= closed(error)
    wake()
  }
  socket.setHandlers({
    onData(chunk) {
      reader.push(chunk)
      wake()
    },
    onDrain() {},
    onEnd: () => finish(),
    onClose: finish,
  })
  return async () => {
    for (;;) {
      const read = reader.next()
      if (read.kind === 'message') return read.message
      if (read.kind === 'malformed')
        throw new PosternError('UPSTREAM_PROTOCOL', 'the database sent a malformed message')
      if (end) throw end
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
}
