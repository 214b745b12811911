import type { LoginGrant } from '../login-grant.ts'
import { PosternError } from '../../base/errors.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { dial, type DialOptions } from '../../dialer/dial.ts'
import { type BackendKeyData, readBackendKeyData } from '../../pgwire/backend-messages.ts'
import { readErrorFields } from '../../pgwire/error-response.ts'
import { writeStartupMessage } from '../../pgwire/frontend-messages.ts'
import type { WireMessage } from '../../pgwire/message-reader.ts'
import { authenticateUpstream, protocolFailure } from './authenticate-upstream.ts'
import { checkUpstreamRole } from './check-upstream-role.ts'
import { LoginChannel, PeerGone } from './login-channel.ts'
import { requireOwnServer } from './require-own-server.ts'
import { withRouteSecrets } from './route-secrets.ts'

/** An upstream session that is logged in, checked and ready for its first query. */
export interface UpstreamSession {
  readonly channel: LoginChannel
  /** What the upstream said between AuthenticationOk and ReadyForQuery, BackendKeyData left out, byte for byte. */
  readonly greeting: readonly Uint8Array[]
  readonly readyForQuery: Uint8Array
  /** The upstream's own; undefined when it gave none, and then nothing can be cancelled. */
  readonly backendKey: BackendKeyData | undefined
}

interface UpstreamLoginDependencies {
  readonly dialOptions: DialOptions
  readonly masterKey: MasterKey
  /** Folder below which the sockets of this node's managed instances are, and nothing of anybody else. */
  readonly settings: { readonly peerSocketRoot: string }
}

/** What the session is to begin with. */
interface UpstreamTarget {
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
const greetingMaxLength = 1024 * 1024

/**
 * Opens the upstream session of a login: dials the grant's own route, logs in as its Postgres role, and checks in the session
 * itself that this role is the one that was bound.
 *
 * @param onChannel told at once, so that a time-out of the login can end the channel
 * @throws PosternError UPSTREAM_* | SECRET_UNREADABLE | ROLE_DRIFTED | INSTANCE_NOT_AVAILABLE | TOO_MANY_SESSIONS; UpstreamRefusal
 */
export async function connectUpstream(
  deps: UpstreamLoginDependencies,
  grant: LoginGrant,
  target: UpstreamTarget,
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
  deps: UpstreamLoginDependencies,
  grant: LoginGrant,
  target: UpstreamTarget,
  database: string,
  onChannel: (channel: LoginChannel) => void,
): Promise<UpstreamSession> {
  const { route, roleName } = grant.fields
  requireOwnServer(grant, deps.settings.peerSocketRoot)
  const socket = await dial(route, await withRouteSecrets(deps.dialOptions, grant, deps.masterKey))
  const channel = new LoginChannel(socket, greetingMaxLength)
  onChannel(channel)
  try {
    // 3.0 whatever the client speaks: the versions differ in cancel keys alone, and those are our own on the client's side.
    channel.write(writeStartupMessage([['user', roleName], ['database', database], ...target.settings], 0))
    await authenticateUpstream(channel, grant, deps.masterKey)
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
