import { PosternError } from '../base/errors.ts'
import { writeSslRequest } from '../pgwire/frontend-messages.ts'
import type { ByteSocket } from '../transport/byte-socket.ts'
import { connectFailure } from './dial-errors.ts'

const YES = 0x53
const NO = 0x4e
/** Content type of a TLS record that holds an alert (RFC 8446 section 5.1): our request was taken for a broken ClientHello. */
const TLS_ALERT = 0x15

/**
 * Asks a Postgres server to speak TLS and reads its answer: exactly one byte. Whatever else comes with that byte was injected
 * before TLS began (CVE-2021-23222), so it ends the attempt.
 *
 * @returns once the server agreed; the caller starts the handshake next
 * @throws PosternError UPSTREAM_TLS_REFUSED | UPSTREAM_TLS_ON_PLAIN_PORT | UPSTREAM_PROTOCOL | UPSTREAM_UNREACHABLE
 */
export function requestTls(socket: ByteSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: PosternError) => {
      reject(error)
      socket.destroy()
    }
    socket.setHandlers({
      onData(chunk) {
        if (chunk.length === 1 && chunk[0] === YES) resolve()
        else fail(refusal(chunk))
      },
      onDrain() {},
      onEnd: () => fail(connectFailure({ code: 'ECONNRESET' })),
      onClose: (error) => reject(connectFailure(error ?? { code: 'ECONNRESET' })),
    })
    const request = writeSslRequest()
    if (socket.write(request) !== request.length) fail(connectFailure({ code: 'ECONNRESET' }))
  })
}

function refusal(answer: Uint8Array): PosternError {
  if (answer[0] === YES)
    return new PosternError('UPSTREAM_PROTOCOL', 'bytes that are not TLS came with the answer to the TLS request')
  if (answer.length === 1 && answer[0] === NO)
    return new PosternError('UPSTREAM_TLS_REFUSED', 'the database does not offer TLS')
  if (answer[0] === TLS_ALERT && answer[1] === 3) {
    return new PosternError(
      'UPSTREAM_TLS_ON_PLAIN_PORT',
      'the server speaks TLS at once, where the Postgres protocol begins in the clear',
    )
  }
  if (Buffer.from(answer.subarray(0, 5)).toString('latin1') === 'HTTP/') {
    return new PosternError('UPSTREAM_PROTOCOL', 'what answers at the port of the database is a web server', {
      hint: 'Use the port of the database itself.',
    })
  }
  return new PosternError(
    'UPSTREAM_PROTOCOL',
    'what answers at the address of the database does not speak the Postgres protocol',
  )
}
