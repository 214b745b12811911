import { z } from 'zod'
import { authorize } from '../../access/policy.ts'
import { Secret } from '../../base/secret.ts'
import {
  ChangeOwnPasswordInput,
  PasswordReset,
  RedeemPasswordResetInput,
  SetPasswordInput,
  UserParams,
} from '../../contract/users.ts'
import { findEntry } from '../../identity/principal-directory.ts'
import type { SignInThrottle } from '../../identity/sign-in-throttle.ts'
import {
  changeOwnPassword,
  createPasswordReset,
  redeemPasswordReset,
  setUserPassword,
} from '../../identity/user-passwords.ts'
import type { HttpDependencies } from '../http-dependencies.ts'
import { presentPasswordReset } from '../present/principal.ts'
import { actorOf, answers, type HttpApp } from '../route.ts'
import type { RequestWorkspaces } from '../workspace-of-request.ts'

/** Guesses here and at a sign-in are counted together. */
type PasswordDependencies = Pick<HttpDependencies, 'store' | 'clock'> & { readonly throttle: SignInThrottle }

/** Passwords of those who are signed in, and of users by administrators. */
export function passwordRoutes(app: HttpApp, deps: PasswordDependencies): void {
  app.post(
    '/v1/users/:user(^.+)::setPassword',
    {
      schema: {
        summary: 'Set the password of a user',
        params: UserParams,
        body: SetPasswordInput,
        response: answers(z.object({})),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.resetPassword')
      const { id } = await findEntry(deps, actor.workspaceId, 'user', request.params.user)
      await setUserPassword(deps, actor, id, new Secret(request.body.password))
      return {}
    },
  )

  app.post(
    '/v1/users/:user(^.+)::resetPassword',
    {
      schema: {
        summary: 'Make a secret that sets the password of a user once; shown this once',
        params: UserParams,
        response: answers(PasswordReset),
      },
    },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.resetPassword')
      const { id } = await findEntry(deps, actor.workspaceId, 'user', request.params.user)
      return presentPasswordReset(await createPasswordReset(deps, actor, id))
    },
  )

  app.post(
    '/v1/me:changePassword',
    { schema: { summary: 'Change one’s own password', body: ChangeOwnPasswordInput, response: answers(z.object({})) } },
    async (request) => {
      const actor = actorOf(request)
      authorize(actor, 'user.changeOwnPassword')
      const { oldPassword, newPassword } = request.body
      const input = { oldPassword: new Secret(oldPassword), newPassword: new Secret(newPassword) }
      await changeOwnPassword(deps, actor, input)
      return {}
    },
  )
}

/** For somebody who has a reset secret and cannot sign in. */
export function passwordResetRoutes(
  app: HttpApp,
  deps: PasswordDependencies & { readonly workspaces: RequestWorkspaces },
): void {
  app.post(
    '/v1/passwordResets:redeem',
    {
      schema: {
        summary: 'Set a password with a reset secret',
        body: RedeemPasswordResetInput,
        response: answers(z.object({})),
      },
    },
    async (request) => {
      const { id: workspaceId } = await deps.workspaces.of(request)
      const { resetSecret, newPassword } = request.body
      await redeemPasswordReset(deps, {
        workspaceId,
        secret: new Secret(resetSecret),
        newPassword: new Secret(newPassword),
        peer: request.ip,
        requestId: request.id,
      })
      return {}
    },
  )
}
