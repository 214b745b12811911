import { recordAudit } from '../../audit/record-audit.ts'
import { asPosternError, PosternError } from '../../base/errors.ts'
import type { PrincipalId } from '../../base/ids.ts'
import { translateStoreError } from '../../store/constraint-errors.ts'
import { findPrincipalAccount } from '../account.ts'
import { html } from '../pages/html.ts'
import { messagePage } from '../pages/message-page.ts'
import { oauthPaths } from '../provider-configuration.ts'
import { showFailure } from './failure-pages.ts'
import type { InteractionDependencies, Middleware } from './interaction-dependencies.ts'
import { readForm } from './read-form.ts'
import { sendPage } from './send-page.ts'

const signedOut = messagePage(
  'Signed out',
  'Nobody is signed in in this browser.',
  'Programs stay signed in until you sign them out, for example by postern logout.',
)

/** The page that ends the session of a browser. Asks first, so that no other site can do it in passing. */
export function signOutPage(deps: InteractionDependencies): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== oauthPaths.signOut) return next()
    try {
      const session = await deps.provider.Session.get(ctx)
      if (session.accountId === undefined) return sendPage(ctx, 200, signedOut)
      const account = await findPrincipalAccount(deps, deps.workspace.id, session.accountId)
      const subject = `sign-out ${session.uid}`
      if (ctx.method === 'GET') {
        return sendPage(ctx, 200, {
          title: 'Sign out',
          body: html`<h1>Sign out of ${deps.workspace.name}?</h1>
            <p class="aside">
              You are signed in as <strong>${account?.name ?? 'somebody who may not sign in any more'}</strong>.
            </p>
            <form method="post">
              <input type="hidden" name="form_token" value="${deps.formTokens.for(subject)}" />
              <button>Sign out</button>
            </form>`,
        })
      }
      if (!deps.formTokens.isFor(subject, (await readForm(ctx.req)).get('form_token'))) {
        throw new PosternError('PERMISSION_DENIED', 'This form was not sent by the page that showed it')
      }
      await recordAudit(deps.store.db, {
        ...deps.callerOf(ctx.req),
        action: 'signOut',
        outcome: 'allowed',
        workspaceId: deps.workspace.id,
        actorId: session.accountId as PrincipalId,
        actorName: account?.name ?? null,
      })
      await session.destroy()
      return sendPage(ctx, 200, signedOut)
    } catch (thrown) {
      return showFailure(ctx, asPosternError(translateStoreError(thrown)), thrown)
    }
  }
}
