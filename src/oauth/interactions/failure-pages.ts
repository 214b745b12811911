import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider'
import { PosternError } from '../../base/errors.ts'
import { translateStoreError } from '../../store/constraint-errors.ts'
import { oauthError } from '../oauth-error.ts'
import { messagePage } from '../pages/message-page.ts'
import { oauthPaths } from '../provider-configuration.ts'
import { sendPage } from './send-page.ts'

/** Paths that browsers are sent to; all others answer programs. */
const pagePaths = [oauthPaths.authorization, oauthPaths.device, oauthPaths.interaction, oauthPaths.signOut]

/** Whether people look at the answer. */
function isPagePath(path: string): boolean {
  return pagePaths.some((page) => path === page || path.startsWith(`${page}/`))
}

/** A failure of ours, for a person. */
export function showFailure(ctx: KoaContextWithOIDC, error: PosternError, thrown: unknown): void {
  if (error.code === 'INTERNAL') ctx.app.emit('error', thrown, ctx)
  const { hint, message, row } = error
  sendPage(ctx, row.http, messagePage('This did not work', `${message}.`, hint ?? row.action))
}

/** A request that oidc-provider refuses and cannot send back to the client: to a person as a page, to a program as JSON. */
export function renderOauthError(ctx: KoaContextWithOIDC, out: ErrorOut): void {
  if (!isPagePath(ctx.path)) {
    ctx.type = 'application/json'
    ctx.body = out
    return
  }
  if (out.error === 'server_error') {
    sendPage(
      ctx,
      ctx.status,
      messagePage('This did not work', 'Something went wrong on this side.', 'Try again in a moment.'),
    )
    return
  }
  const text = `The request was refused: ${out.error_description ?? out.error}.`
  sendPage(
    ctx,
    ctx.status,
    messagePage('You cannot sign in this way', text, 'Start again from the program that sent you here.'),
  )
}

/** Turns "server error" into "try again later" where it is the store that failed: the provider knows no difference. */
export function sayWhatIsAway(ctx: KoaContextWithOIDC, thrown: unknown): void {
  const error = translateStoreError(thrown)
  if (!(error instanceof PosternError)) return
  const { status, body } = oauthError(error)
  ctx.status = status
  if (!isPagePath(ctx.path)) ctx.body = body
}
