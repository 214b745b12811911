import type { LoginGrant } from '../login-grant.ts'
import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { ScramClient } from '../../crypto/scram.ts'
import type { DialOptions } from '../../dialer/dial.ts'
import { type BackendKeyData, readBackendKeyData } from '../../pgwire/backend-messages.ts'
import type { SessionStatements } from '../../keys/session-statements.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { writeStartupMessage } from '../../pgwire/frontend-messages.ts'
import type { WireMessage } from '../../pgwire/message-reader.ts'
import type { NativeGrant } from '../native-grant.ts'
import { authenticateUpstream, proveByScram, protocolFailure } from './authenticate-upstream.ts'
import { checkUpstreamRole } from './check-upstream-role.ts'
import { dialGrant } from './dial-grant.ts'
import { LoginChannel, PeerGone } from './login-channel.ts'
import { requireOwnServer } from './require-own-server.ts'

/** An upstream session that is logged in, checked and ready for its first query. */
export interface UpstreamSession {
  readonly channel: LoginChannel
  /** What the upstream said between AuthenticationOk and ReadyForQuery, BackendKeyData left out, byte for byte. */
  readonly greeting: readonly Uint8Array[]
  readonly readyForQuery: Uint8Array
  /** The upstream's own; undefined when it gave none, and then nothing can be cancelled. */
  readonly backendKey: BackendKeyData | undefined
  /** The way that it was opened by. */
  readonly grant: LoginGrant | NativeGrant
}

export interface UpstreamLoginDependencies {
  readonly dialOptions: DialOptions
  readonly masterKey: MasterKey
  readonly sessionStatements: SessionStatements
  /** Folder below which the sockets of this node's managed instances are, and nothing of anybody else. */
  readonly settings: { readonly peerSocketRoot: string }
}

/** What the session is to begin with. */
export interface UpstreamTarget {
  readonly database: string
  /** Startup parameters, in order: settings only, no user, no database and no protocol options. */
  readonly settings: readonly (readonly [name: string, value: string])[]
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
/** Where databricks_create_role looks for it. */
const STATEMENT_SETTING = 'postern.session'
const greetingMaxLength = 1024 * 1024

/**
 * Opens the upstream session of a login: dials the grant's own route, logs in as its Postgres role, and checks in the session
 * itself that this role is the one that was bound. A grant with alternatives tries them in turn.
 *
 * @param onChannel told at once, so that a time-out of the login can end the channel
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | ROLE_DRIFTED | READ_ONLY_UNAVAILABLE | INSTANCE_NOT_AVAILABLE |
 *   TOO_MANY_SESSIONS; UpstreamRefusal
 */
export async function connectUpstream(
  deps: UpstreamLoginDependencies,
  grant: LoginGrant,
  target: UpstreamTarget,
  onChannel: (channel: LoginChannel) => void,
): Promise<UpstreamSession> {
  const told = withStatement(deps, grant, target)
  const failures: unknown[] = []
  for (const way of [grant, ...grant.fields.alternatives]) {
    requireOwnServer(way, deps.settings.peerSocketRoot)
    try {
      return await openSession(deps, way, told, onChannel, {
        authenticate: (channel) => authenticateUpstream(channel, way, deps.masterKey),
        check: (channel) => checkUpstreamRole(channel, way),
      })
    } catch (thrown) {
      // Its words are those of a database that let the role in.
      if (thrown instanceof UpstreamRefusal) throw thrown
      failures.push(thrown)
    }
  }
  throw failures[0]
}

/** What the client set under this name comes first, and the last one counts; were it otherwise, it would lack our signature. */
function withStatement(deps: UpstreamLoginDependencies, grant: LoginGrant, target: UpstreamTarget): UpstreamTarget {
  if (!grant.fields.carriesStatement) return target
  return { ...target, settings: [...target.settings, [STATEMENT_SETTING, deps.sessionStatements.sign(grant.fields)]] }
}

/**
 * Opens the upstream session of a login by password: the database must ask for SCRAM and prove in turn that it knows the
 * password, which is sent in no other form. What the role is, is for the caller to ask in the session.
 *
 * @throws PosternError ROLE_DRIFTED (refused there) | UPSTREAM_* | SECRET_UNREADABLE | INSTANCE_NOT_AVAILABLE |
 *   TOO_MANY_SESSIONS; UpstreamRefusal
 */
export async function connectNatively(
  deps: UpstreamLoginDependencies,
  grant: NativeGrant,
  password: Secret,
  target: UpstreamTarget,
  onChannel: (channel: LoginChannel) => void,
  check: (channel: LoginChannel) => Promise<void>,
): Promise<UpstreamSession> {
  return openSession(deps, grant, target, onChannel, {
    authenticate: (channel) => proveByScram(channel, new ScramClient({ password })),
    check,
  })
}

interface Proofs {
  /** Ours, and the server's: up to its AuthenticationOk. */
  authenticate(channel: LoginChannel): Promise<void>
  /** In the session. */
  check(channel: LoginChannel): Promise<void>
}

async function openSession(
  deps: UpstreamLoginDependencies,
  grant: LoginGrant | NativeGrant,
  target: UpstreamTarget,
  onChannel: (channel: LoginChannel) => void,
  proofs: Proofs,
): Promise<UpstreamSession> {
  const { defaultDatabase } = grant.fields
  const attempt = (database: string) => logIn(deps, grant, { ...target, database }, onChannel, proofs)
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

async function logIn(
  deps: UpstreamLoginDependencies,
  grant: LoginGrant | NativeGrant,
  { database, settings }: UpstreamTarget,
  onChannel: (channel: LoginChannel) => void,
  proofs: Proofs,
): Promise<UpstreamSession> {
  const socket = await dialGrant(deps.dialOptions, grant, deps.masterKey)
  const channel = new LoginChannel(socket, greetingMaxLength)
  onChannel(channel)
  try {
    // 3.0 whatever the client speaks: the versions differ in cancel keys alone, and those are our own on the client's side.
    channel.write(writeStartupMessage([['user', grant.fields.roleName], ['database', database], ...settings], 0))
    await proofs.authenticate(channel)
    const session = await readGreeting(channel, grant)
    await proofs.check(channel)
    return session
  } catch (thrown) {
    socket.destroy()
    if (thrown instanceof PeerGone)
      throw new PosternError('UPSTREAM_UNREACHABLE', 'the database closed the socket during the login')
    throw thrown
  }
}

async function readGreeting(channel: LoginChannel, grant: LoginGrant | NativeGrant): Promise<UpstreamSession> {
  const greeting: Uint8Array[] = []
  let backendKey: BackendKeyData | undefined
  let length = 0
  for (;;) {
    const message: WireMessage = await channel.readMessage()
    length += message.bytes.length
    if (length > greetingMaxLength) throw protocolFailure()
    switch (message.type) {
      case 'Z':
        return { channel, greeting, readyForQuery: message.bytes, backendKey, grant }
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
