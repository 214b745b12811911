import type { KoaContextWithOIDC } from 'oidc-provider'
import { deviceCodePage, deviceConfirmPage } from '../pages/device-pages.ts'
import { messagePage } from '../pages/message-page.ts'
import { type DeviceFlowPages, oauthPaths } from '../provider-configuration.ts'
import { showFailure } from './failure-pages.ts'
import type { InteractionDependencies, Middleware } from './interaction-dependencies.ts'
import { signInIsOver } from './sign-in-is-over.ts'
import { replaceQuery } from './replace-query.ts'
import { sendPage } from './send-page.ts'

const prefilledCode = 'postern.userCode'
const userCodeMaxChars = 16

/** The pages of the device flow (RFC 8628 section 3.3). Their form token is the one that oidc-provider keeps in the session. */
export function deviceFlowPages(): DeviceFlowPages {
  return {
    userCodeInputSource: (ctx, _form, _out, error) => {
      if (error?.name === 'AbortedError') {
        return sendPage(ctx, 200, messagePage('Cancelled', 'The device was not signed in.', 'You can close this page.'))
      }
      const userCode = String(ctx.state[prefilledCode] ?? userCodeOf(error) ?? '')
      const failure = error === undefined ? undefined : failureText(error)
      const page = deviceCodePage({ action: actionOf(ctx), formToken: formTokenOf(ctx), userCode, failure })
      return sendPage(ctx, error === undefined ? 200 : 400, page)
    },
    userCodeConfirmSource: (ctx, _form, client, _deviceInfo, userCode) => {
      const clientName = client.clientName ?? client.clientId
      const page = deviceConfirmPage({ action: actionOf(ctx), formToken: formTokenOf(ctx), userCode, clientName })
      return sendPage(ctx, 200, page)
    },
    successSource: (ctx) =>
      sendPage(
        ctx,
        200,
        messagePage('The device is signed in', 'Go back to it; it goes on by itself.', 'You can close this page.'),
      ),
  }
}

/**
 * What oidc-provider's pages of the device flow leave to be done. A link that holds the code (`verification_uri_complete`)
 * shows the page with the code filled in: oidc-provider would send the form by a script, which a page of ours has not, and a
 * person should look at the code anyway. And a browser without a session of ours begins at the first page: there oidc-provider
 * would fail.
 */
export function aroundDevicePages({ provider }: Pick<InteractionDependencies, 'provider'>): Middleware {
  return async (ctx, next) => {
    const isFirstPage = ctx.path === oauthPaths.device
    if (!isFirstPage && !ctx.path.startsWith(`${oauthPaths.device}/`)) return next()
    if (isFirstPage && ctx.method === 'GET') {
      const { user_code: userCode } = ctx.query
      if (typeof userCode === 'string') ctx.state[prefilledCode] = userCode.slice(0, userCodeMaxChars)
      replaceQuery(ctx, {})
      return next()
    }
    const session = await provider.Session.get(ctx)
    if (session.exp !== undefined) return next()
    if (!isFirstPage) return showFailure(ctx, signInIsOver(), undefined)
    ctx.status = 303
    return ctx.redirect(provider.urlFor('code_verification'))
  }
}

function actionOf(ctx: KoaContextWithOIDC): string {
  return ctx.oidc.urlFor('code_verification')
}

function formTokenOf(ctx: KoaContextWithOIDC): string {
  const secret = ctx.oidc.session?.state?.secret
  return typeof secret === 'string' ? secret : ''
}

function userCodeOf(error: Error | undefined): string | undefined {
  return (error as { userCode?: string } | undefined)?.userCode?.slice(0, userCodeMaxChars)
}

/** By the names of oidc-provider's errors. */
function failureText({ name }: Error): string {
  switch (name) {
    case 'NoCodeError':
      return 'Enter the code.'
    case 'ExpiredError':
      return 'This code is too old. Start again on the device.'
    case 'AlreadyUsedError':
      return 'This code was used already. Start again on the device.'
    case 'NotFoundError':
      return 'There is no such code. Compare it with the one on the device.'
    default:
      return 'This page was open for too long. Enter the code again.'
  }
}
