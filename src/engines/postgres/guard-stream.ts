import type { Duplex } from 'node:stream'
import { PosternError } from '../../base/errors.ts'
import { readAuthenticationRequest } from '../../pgwire/authentication-request.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { MessageReader, type WireMessage } from '../../pgwire/message-reader.ts'

/** What an administrator's session reads is small: names, oids, versions. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024
const MAX_CHUNK_BYTES = 64 * 1024
/** DataRow, CopyData and RowDescription are as large as what was asked for. */
const RESULT_MESSAGES = 'DdT'
/** Types that answer a startup message: authentication, error, protocol negotiation, notice. */
const FIRST_ANSWERS = 'REvN'

/**
 * Stands between a server and the `pg` driver, which trusts what it reads: a malformed ErrorResponse makes it loop for ever,
 * an unknown authentication request makes it throw where nobody catches, and it answers a request for the password in clear
 * text. So every message is read here first, and the driver gets only whole messages that passed.
 *
 * Login: start ─R(sasl)► scram ─R(sasl-final)► proved ─R(ok)► open; start ─R(ok)► open (the server asks for nothing);
 * start ─R(cleartext, md5)► recoverable ─R(ok)► open, only where `mayCarryRecoverablePassword`. Every other order fails.
 *
 * @param maxRowBytes longest row that is taken; a longer one ends the session with RESULT_TOO_LARGE
 */
export function guardStream(
  stream: Duplex,
  mayCarryRecoverablePassword: boolean,
  maxRowBytes = MAX_MESSAGE_BYTES,
): Duplex {
  const reader = new MessageReader({
    maxLength: (type) => (RESULT_MESSAGES.includes(type) ? maxRowBytes : MAX_MESSAGE_BYTES),
    maxUnreadBytes: Math.max(maxRowBytes, MAX_MESSAGE_BYTES) + MAX_CHUNK_BYTES,
  })
  const login = new LoginGuard(mayCarryRecoverablePassword)
  const subscribe = stream.on.bind(stream)
  const guarded = (event: string, listener: (chunk: Buffer) => void): Duplex => {
    if (event !== 'data') return subscribe(event, listener)
    return subscribe('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
        const next = () => nextMessage(reader, login.isOpen)
        for (let message = next(); message !== undefined; message = next()) {
          login.check(message)
          listener(Buffer.from(message.bytes.buffer, message.bytes.byteOffset, message.bytes.length))
        }
      } catch (thrown) {
        stream.destroy(thrown instanceof PosternError ? thrown : notPostgres(thrown))
      }
    })
  }
  // Every event but this one passes by; the driver subscribes to no other with a chunk.
  return Object.assign(stream, { on: guarded as typeof stream.on })
}

function nextMessage(reader: MessageReader, isOpen: boolean): WireMessage | undefined {
  const read = reader.next()
  if (read.kind === 'malformed' && read.reason === 'too-long' && isOpen) {
    throw new PosternError('RESULT_TOO_LARGE', 'a single row of the result is longer than Postern reads', {
      hint: 'Ask for fewer or shorter columns.',
    })
  }
  if (read.kind === 'malformed') throw notPostgres(undefined)
  return read.kind === 'message' ? read.message : undefined
}

type LoginState = 'start' | 'scram' | 'proved' | 'recoverable' | 'open'

class LoginGuard {
  readonly #mayCarryRecoverablePassword: boolean
  #state: LoginState = 'start'
  #isFirst = true

  constructor(mayCarryRecoverablePassword: boolean) {
    this.#mayCarryRecoverablePassword = mayCarryRecoverablePassword
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  check(message: WireMessage): void {
    if (this.#isFirst && !FIRST_ANSWERS.includes(message.type)) throw notPostgres(undefined)
    this.#isFirst = false
    if (message.type === 'R') this.#checkAuthentication(message.body)
    else if ((message.type === 'E' || message.type === 'N') && readErrorFields(message.body) === undefined) {
      throw notPostgres(undefined)
    }
  }

  #checkAuthentication(body: Uint8Array): void {
    const request = readAuthenticationRequest(body)
    const state = this.#state
    switch (request?.kind) {
      case 'sasl':
        return this.#move(state === 'start', 'scram')
      case 'sasl-continue':
        return this.#move(state === 'scram', 'scram')
      case 'sasl-final':
        return this.#move(state === 'scram', 'proved')
      case 'ok':
        if (state === 'scram') throw unsafe('did not prove that it knows the password')
        return this.#move(state !== 'open', 'open')
      case 'cleartext-password':
      case 'md5-password':
        if (!this.#mayCarryRecoverablePassword) {
          const form = request.kind === 'md5-password' ? 'as md5' : 'in clear text'
          throw unsafe(`asked for the password ${form}, which is only sent over verified TLS`)
        }
        return this.#move(state === 'start', 'recoverable')
      case 'other':
        throw unsafe(`asked for a login method that Postern does not offer (number ${request.method})`)
      case undefined:
        throw notPostgres(undefined)
    }
  }

  #move(isExpected: boolean, next: LoginState): void {
    if (!isExpected) throw notPostgres(undefined)
    this.#state = next
  }
}

function unsafe(what: string): PosternError {
  return new PosternError('UPSTREAM_AUTH_UNSAFE', `the database ${what}`, {
    hint: 'Use scram-sha-256 in pg_hba.conf, or TLS mode verify-full.',
  })
}

function notPostgres(cause: unknown): PosternError {
  return new PosternError(
    'UPSTREAM_PROTOCOL',
    'what answers at the address of the database does not speak the Postgres protocol',
    { cause },
  )
}
