import { randomBytes } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { assertNever } from '../../base/assert-never.ts'
import { asPosternError, PosternError } from '../../base/errors.ts'
import { addressKey } from '../../identity/address-key.ts'
import { AttemptLimit } from '../../identity/attempt-limit.ts'
import { type SsoDenial, signInWithSso } from '../../identity/sso/sign-in-with-sso.ts'
import { SsoClients } from '../../identity/sso/sso-client.ts'
import { findSsoProvider, type SsoProvider } from '../../identity/sso/sso-providers.ts'
import { interactionOfState, isSameState, roundTripOf } from '../../identity/sso/sso-round-trip.ts'
import { type AuthorizationServers, oauthMountPath } from '../../oauth/authorization-server.ts'
import { messagePage } from '../../oauth/pages/message-page.ts'
import { documentOf, pageHeaders } from '../../oauth/pages/page.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import type { HttpApp } from '../route.ts'
import type { RequestWorkspaces } from '../workspace-of-request.ts'

const cookieLifetimeSeconds = 600
const interaction = z.string().regex(/^[\w-]{1,64}$/)
const params = z.object({ provider: z.string() })

interface SsoDependencies extends HttpDependencies {
  readonly authorizationServers: AuthorizationServers
  readonly workspaces: RequestWorkspaces
}

/** Address that an identity provider sends browsers back to; each provider has its own, so that none can answer for another. */
export function ssoCallbackPath(providerId: string): string {
  return `/login/sso/${providerId}/callback`
}

/** Sign-in through an identity provider: away to it, and back with a code. Browsers come here from the sign-in page. */
export function ssoSignInRoutes(app: HttpApp, deps: SsoDependencies): void {
  const clients = new SsoClients(deps)
  const limit = new AttemptLimit({
    attempts: 60,
    windowSeconds: 60,
    publicMessage: 'Too many sign-ins by an identity provider from this address',
  })
  const hide = true

  app.get(
    '/login/sso/:provider',
    { schema: { hide, params, querystring: z.object({ interaction: interaction.optional() }) } },
    (request, reply) =>
      pageOnFailure(request, reply, async () => {
        await limit.take(addressKey(request.ip))
        const { provider, origin } = await providerOf(deps, request, request.params.provider)
        const { interaction: uid } = request.query
        if (uid === undefined) throw signInIsOver()
        const secret = randomBytes(32)
        const trip = roundTripOf(secret, provider.id, uid)
        const url = await clients.authorizationUrl(provider, origin + ssoCallbackPath(provider.id), trip)
        const cookie = [
          `${cookieName(uid)}=${secret.toString('base64url')}`,
          `Path=/login/sso/${provider.id}`,
          `Max-Age=${cookieLifetimeSeconds}`,
          'HttpOnly',
          'SameSite=Lax',
          ...(origin.startsWith('https:') ? ['Secure'] : []),
        ]
        return reply.header('set-cookie', cookie.join('; ')).redirect(url.href, 303)
      }),
  )

  app.get(
    '/login/sso/:provider/callback',
    { schema: { hide, params, querystring: z.looseObject({ state: z.string().max(200).optional() }) } },
    (request, reply) =>
      pageOnFailure(request, reply, async () => {
        await limit.take(addressKey(request.ip))
        const { provider, origin, workspace } = await providerOf(deps, request, request.params.provider)
        const uid = interactionOfState(request.query.state ?? '')
        const secret = uid === undefined ? undefined : browserSecret(request, uid)
        if (uid === undefined || secret === undefined) throw signInIsOver()
        const trip = roundTripOf(secret, provider.id, uid)
        if (!isSameState(request.query.state ?? '', trip.state)) throw signInIsOver()
        const outcome = await clients.finish(provider, new URL(request.url, origin), trip)
        if ('refusal' in outcome) throw refusedBy(provider, outcome.refusal)
        const caller = { peer: request.ip, requestId: request.id }
        const signIn = await signInWithSso(deps, provider, outcome, caller)
        if (!signIn.ok)
          throw new PosternError('PERMISSION_DENIED', explain(signIn.reason, provider), { hint: askAdmin })
        const server = deps.authorizationServers.for(workspace, origin + oauthMountPath)
        const signedIn = { method: 'sso', interaction: uid } as const
        const next = await server.finishSignIn(request.raw, reply.raw, signIn.principalId, signedIn)
        return reply.redirect(next, 303)
      }),
  )
}

const askAdmin = 'Ask an administrator of this workspace.'

async function providerOf(deps: SsoDependencies, request: FastifyRequest, id: string) {
  const workspace = await deps.workspaces.of(request)
  const provider = await findSsoProvider(deps, workspace.id, id)
  return { provider, workspace, origin: deps.workspaces.originOf(workspace) }
}

function cookieName(uid: string): string {
  return `postern_sso_trip_${uid}`
}

function browserSecret(request: FastifyRequest, uid: string): Buffer | undefined {
  const pairs = (request.headers.cookie ?? '').split(/; */)
  const value = pairs.find((pair) => pair.startsWith(`${cookieName(uid)}=`))?.slice(cookieName(uid).length + 1)
  const secret = Buffer.from(value ?? '', 'base64url')
  return secret.length === 32 ? secret : undefined
}

/** People look at these answers, in the middle of a sign-in. */
async function pageOnFailure(request: FastifyRequest, reply: FastifyReply, answer: () => Promise<FastifyReply>) {
  try {
    return await answer()
  } catch (thrown) {
    const error = asPosternError(thrown)
    if (error.row.http >= 500) request.log.error({ err: thrown }, 'sign-in by an identity provider failed')
    const page = messagePage('You are not signed in', `${error.message}.`, error.hint ?? error.row.action)
    const seconds = error.detail?.retryAfterSeconds
    if (typeof seconds === 'number') reply.header('retry-after', String(seconds))
    return reply.code(error.row.http).headers(pageHeaders(page)).send(documentOf(page))
  }
}

function signInIsOver(): PosternError {
  return new PosternError('NOT_FOUND', 'This sign-in is over, or it was begun in another browser', {
    hint: 'Start again from the program that sent you here.',
  })
}

/** Its code alone is shown: any page can send a browser here with a text of its own. */
function refusedBy(provider: SsoProvider, refusal: string): PosternError {
  const code = /^[a-z_]{1,64}$/.test(refusal) ? ` (${refusal})` : ''
  return new PosternError('PERMISSION_DENIED', `${provider.name} did not sign you in${code}`, { hint: askAdmin })
}

function explain(reason: SsoDenial, { name }: SsoProvider): string {
  switch (reason) {
    case 'no-believed-email':
      return `${name} gave no verified e-mail address that counts here`
    case 'unknown-user':
      return 'You are not a user of this workspace'
    case 'user-of-another-workspace':
      return 'Your e-mail address is that of a user who belongs to another workspace and was not let into this one'
    case 'email-of-another':
      return `Somebody else of ${name} signs in with your e-mail address already`
    case 'inactive':
      return 'You are deactivated here'
    case 'not-in-workspace':
      return 'You do not belong to this workspace any more'
    default:
      return assertNever(reason)
  }
}
