import type { LoginGrant } from '../access/login-grant.ts'
import { loginKeyContext } from '../access/login-key-context.ts'
import { PosternError } from '../base/errors.ts'
import { LoginKey } from '../crypto/login-key.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { ScramClient } from '../crypto/scram.ts'
import { open } from '../crypto/seal.ts'
import { dial, type DialOptions } from '../dialer/dial.ts'
import { type AuthenticationRequest, readAuthenticationRequest } from '../pgwire/authentication-request.ts'
import { type BackendKeyData, readBackendKeyData } from '../pgwire/backend-messages.ts'
import { type ErrorFields, readErrorFields } from '../pgwire/error-response.ts'
import { writeSaslInitialResponse, writeSaslResponse, writeStartupMessage } from '../pgwire/frontend-messages.ts'
import type { WireMessage } from '../pgwire/message-reader.ts'
import { checkUpstreamRole } from './check-upstream-role.ts'
import { LoginChannel, PeerGone } from './login-channel.ts'
import type { LoginTarget } from './resolve-target.ts'

/** An upstream session that is logged in, checked and ready for its first query. */
export interface UpstreamSession {
  readonly channel: LoginChannel
  /** What the upstream said between AuthenticationOk and ReadyForQuery, BackendKeyData left out, byte for byte. */
  readonly greeting: readonly Uint8Array[]
  readonly readyForQuery: Uint8Array
  /** The upstream's own; undefined when it gave none, and then nothing can be cancelled. */
  readonly backendKey: BackendKeyData | undefined
}

/** The upstream refused after its AuthenticationOk: the client gets its words unchanged. */
export class UpstreamRefusal extends Error {
  override readonly name = 'UpstreamRefusal'
  readonly errorResponse: Uint8Array
  readonly sqlstate: string

  constructor(errorResponse: Uint8Array, sqlstate: string) {
    super(`upstream refused with ${sqlstate}`)
    this.errorResponse = errorResponse
    this.sqlstate = sqlstate
  }
}

/** What clients of the compatible API connect to by default; an alias on instances that have no database of that name. */
const defaultDatabaseAlias = 'databricks_postgres'
const undefinedDatabase = '3D000'
const greetingMaxLength = 1024 * 1024

/**
 * Opens the upstream session of a login: dials the grant's own route, logs in as its Postgres role, and checks in the session
 * itself that this role is the one that was bound. No password exists: the role is known by the gateway's operating system
 * user (managed instances) or proves its sealed login key by SCRAM, and then the upstream must prove itself too.
 *
 * @param onChannel told at once, so that a time-out of the login can end the channel
 * @throws PosternError UPSTREAM_* | ROLE_DRIFTED | INSTANCE_NOT_AVAILABLE | TOO_MANY_SESSIONS; UpstreamRefusal
 */
export async function connectUpstream(
  deps: { readonly dialOptions: DialOptions; readonly masterKey: MasterKey },
  grant: LoginGrant,
  target: LoginTarget,
  onChannel: (channel: LoginChannel) => void,
): Promise<UpstreamSession> {
  const { defaultDatabase } = grant.fields
  const attempt = (database: string) => openSession(deps, grant, target, database, onChannel)
  try {
    return await attempt(target.database)
  } catch (thrown) {
    const isAlias = target.database === defaultDatabaseAlias && defaultDatabase !== defaultDatabaseAlias
    if (isAlias && thrown instanceof UpstreamRefusal && thrown.sqlstate === undefinedDatabase) {
      return await attempt(defaultDatabase)
    }
    throw thrown
  }
}

async function openSession(
  deps: { readonly dialOptions: DialOptions; readonly masterKey: MasterKey },
  grant: LoginGrant,
  target: LoginTarget,
  database: string,
  onChannel: (channel: LoginChannel) => void,
): Promise<UpstreamSession> {
  const { route, roleName } = grant.fields
  const socket = await dial(route, deps.dialOptions)
  const channel = new LoginChannel(socket, greetingMaxLength)
  onChannel(channel)
  try {
    // 3.0 whatever the client speaks: the versions differ in cancel keys alone, and those are our own on the client's side.
    channel.write(writeStartupMessage([['user', roleName], ['database', database], ...target.settings], 0))
    await authenticate(channel, grant, deps.masterKey)
    const session = await readGreeting(channel)
    await checkUpstreamRole(channel, grant)
    return session
  } catch (thrown) {
    socket.destroy()
    if (thrown instanceof PeerGone)
      throw new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the socket during the login')
    throw thrown
  }
}

async function authenticate(channel: LoginChannel, grant: LoginGrant, masterKey: MasterKey): Promise<void> {
  const { loginKeySealed } = grant.fields
  const scram = loginKeySealed === null ? undefined : scramFor(grant, loginKeySealed, masterKey)
  let serverProved = scram === undefined
  for (;;) {
    const request = await readAuthentication(channel)
    switch (request.kind) {
      case 'ok':
        if (serverProved) return
        throw new PosternError(
          'UPSTREAM_AUTH_UNSAFE',
          'the database let the Postgres role in without asking for SCRAM',
          {
            hint: 'In pg_hba.conf, admit bound Postgres roles by scram-sha-256 only.',
          },
        )
      case 'sasl':
        if (scram === undefined || !request.mechanisms.includes('SCRAM-SHA-256'))
          throw drifted(grant, 'authentication method')
        channel.write(writeSaslInitialResponse('SCRAM-SHA-256', scram.clientFirst()))
        break
      case 'sasl-continue':
        if (scram === undefined) throw protocolFailure()
        channel.write(writeSaslResponse(await scram.clientFinal(request.data)))
        break
      case 'sasl-final':
        if (scram === undefined) throw protocolFailure()
        scram.verifyServerFinal(request.data)
        serverProved = true
        break
      case 'cleartext-password':
      case 'md5-password':
      case 'other':
        throw new PosternError(
          'UPSTREAM_AUTH_UNSAFE',
          'the database asks the Postgres role for another proof than SCRAM',
          {
            hint: 'In pg_hba.conf, admit bound Postgres roles by scram-sha-256 only.',
          },
        )
    }
  }
}

function scramFor(grant: LoginGrant, sealed: Uint8Array, masterKey: MasterKey): ScramClient {
  const { bindingId, route } = grant.fields
  return new ScramClient({ loginKey: LoginKey.fromSecret(open(masterKey, sealed, loginKeyContext(bindingId, route))) })
}

async function readAuthentication(channel: LoginChannel): Promise<AuthenticationRequest> {
  for (;;) {
    const message = await channel.readMessage()
    if (message.type === 'E') throw translated(readErrorFields(message.body))
    const request = message.type === 'R' ? readAuthenticationRequest(message.body) : undefined
    if (request !== undefined) return request
    // Notices and NegotiateProtocolVersion are between the upstream and us.
    if (message.type !== 'N' && message.type !== 'v') throw protocolFailure()
  }
}

async function readGreeting(channel: LoginChannel): Promise<UpstreamSession> {
  const greeting: Uint8Array[] = []
  let backendKey: BackendKeyData | undefined
  let length = 0
  for (;;) {
    const message: WireMessage = await channel.readMessage()
    length += message.bytes.length
    if (length > greetingMaxLength) throw protocolFailure()
    switch (message.type) {
      case 'Z':
        return { channel, greeting, readyForQuery: message.bytes, backendKey }
      case 'K':
        backendKey = readBackendKeyData(message.body)
        break
      case 'E':
        throw new UpstreamRefusal(message.bytes, readErrorFields(message.body)?.sqlstate ?? 'XX000')
      case 'S':
      case 'N':
        greeting.push(message.bytes)
        break
      default:
        throw protocolFailure()
    }
  }
}

/** An upstream error before its AuthenticationOk is about our own login there, so its text is not for the client. */
function translated(fields: ErrorFields | undefined): PosternError {
  const sqlstate = fields?.sqlstate ?? 'XX000'
  const detail = { upstreamSqlstate: sqlstate, upstreamMessage: fields?.message ?? '' }
  switch (sqlstate) {
    case '28P01':
    case '28000':
      return new PosternError(
        'ROLE_DRIFTED',
        'authentication failed: the database no longer accepts the bound Postgres role',
        { detail },
      )
    case '57P03':
      return new PosternError('INSTANCE_NOT_AVAILABLE', 'the database is starting up, shutting down or recovering', {
        detail,
      })
    case '53300':
      return new PosternError('TOO_MANY_SESSIONS', 'the database has no room for another session', { detail })
    default:
      return new PosternError('UPSTREAM_FAILED', `the database refused the login with SQLSTATE ${sqlstate}`, { detail })
  }
}

function drifted(grant: LoginGrant, what: string): PosternError {
  return new PosternError(
    'ROLE_DRIFTED',
    `authentication failed: the ${what} of Postgres role "${grant.fields.roleName}" changed on the instance`,
  )
}

function protocolFailure(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'the database answered the login with an unexpected message')
}
