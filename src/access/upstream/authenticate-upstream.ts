import type { LoginGrant } from '../login-grant.ts'
import { loginKeyContext } from '../login-key-context.ts'
import { PosternError } from '../../base/errors.ts'
import { LoginKey } from '../../crypto/login-key.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { ScramClient } from '../../crypto/scram.ts'
import { open } from '../../crypto/seal.ts'
import { type AuthenticationRequest, readAuthenticationRequest } from '../../pgwire/authentication-request.ts'
import { type ErrorFields, readErrorFields } from '../../pgwire/error-response.ts'
import { writeSaslInitialResponse, writeSaslResponse } from '../../pgwire/frontend-messages.ts'
import type { LoginChannel } from './login-channel.ts'

/**
 * Answers the upstream's authentication requests up to its AuthenticationOk, for a bound role. No password exists: the role is
 * known by the gateway's operating system user (managed instances), or proves its sealed login key by SCRAM, and then the
 * upstream must prove in turn that it knows the verifier.
 *
 * @throws PosternError ROLE_DRIFTED | UPSTREAM_AUTH_UNSAFE | UPSTREAM_PROTOCOL | UPSTREAM_FAILED | INSTANCE_NOT_AVAILABLE |
 *   TOO_MANY_SESSIONS | SECRET_UNREADABLE
 */
export async function authenticateUpstream(
  channel: LoginChannel,
  grant: LoginGrant,
  masterKey: MasterKey,
): Promise<void> {
  const { loginKeySealed } = grant.fields
  if (loginKeySealed !== null) {
    return proveByScram(channel, scramFor(grant, loginKeySealed, masterKey), () =>
      drifted(grant, 'authentication method'),
    )
  }
  const request = await readAuthentication(channel)
  if (request.kind === 'ok') return
  if (request.kind === 'sasl') throw drifted(grant, 'authentication method')
  throw request.kind === 'sasl-continue' || request.kind === 'sasl-final' ? protocolFailure() : otherProof()
}

/**
 * Proves by SCRAM-SHA-256 who logs in, and by nothing else: a server that asks for less could be any, and what it were sent
 * could be used again.
 *
 * @param noScram the error where the server offers SASL without SCRAM-SHA-256
 * @throws PosternError UPSTREAM_AUTH_UNSAFE where the server lets in without SCRAM, asks for another proof, or does not prove in
 *   turn that it knows the password; ROLE_DRIFTED where it refuses; UPSTREAM_PROTOCOL | UPSTREAM_FAILED |
 *   INSTANCE_NOT_AVAILABLE | TOO_MANY_SESSIONS
 */
export async function proveByScram(
  channel: LoginChannel,
  scram: ScramClient,
  noScram: () => PosternError = otherProof,
): Promise<void> {
  let serverProved = false
  for (;;) {
    const request = await readAuthentication(channel)
    switch (request.kind) {
      case 'ok':
        if (serverProved) return
        throw new PosternError(
          'UPSTREAM_AUTH_UNSAFE',
          'the database let the Postgres role in without asking for SCRAM',
          {
            hint: 'In pg_hba.conf, admit Postgres roles by scram-sha-256 only.',
          },
        )
      case 'sasl':
        if (!request.mechanisms.includes('SCRAM-SHA-256')) throw noScram()
        channel.write(writeSaslInitialResponse('SCRAM-SHA-256', scram.clientFirst()))
        break
      case 'sasl-continue':
        channel.write(writeSaslResponse(await scram.clientFinal(request.data)))
        break
      case 'sasl-final':
        scram.verifyServerFinal(request.data)
        serverProved = true
        break
      case 'cleartext-password':
      case 'md5-password':
      case 'other':
        throw otherProof()
    }
  }
}

function otherProof(): PosternError {
  return new PosternError('UPSTREAM_AUTH_UNSAFE', 'the database asks the Postgres role for another proof than SCRAM', {
    hint: 'In pg_hba.conf, admit Postgres roles by scram-sha-256 only.',
  })
}

function scramFor(grant: LoginGrant, sealed: Uint8Array, masterKey: MasterKey): ScramClient {
  const { bindingId, loginKeyRoute } = grant.fields
  const context = loginKeyContext(bindingId, loginKeyRoute)
  return new ScramClient({ loginKey: LoginKey.fromSecret(open(masterKey, sealed, context)) })
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

export function protocolFailure(): PosternError {
  return new PosternError('UPSTREAM_PROTOCOL', 'the database answered the login with an unexpected message')
}
