import { addressKey } from '../../identity/address-key.ts'
import { AttemptLimit } from '../../identity/attempt-limit.ts'
import { asPosternError } from '../../base/errors.ts'
import type { CallerOf } from '../caller.ts'
import { oauthError, retryAfterOf } from '../oauth-error.ts'
import { oauthPaths } from '../provider-configuration.ts'
import { showFailure } from './failure-pages.ts'
import type { Middleware } from './interaction-dependencies.ts'

/** Limits of what anybody may begin without being known, on this node and for each address. */
export class SignInLimits {
  readonly #begun = new AttemptLimit({
    attempts: 120,
    windowSeconds: 60,
    publicMessage: 'Too many sign-ins were begun from this address',
  })
  readonly #userCodes = new AttemptLimit({
    attempts: 20,
    windowSeconds: 60,
    publicMessage: 'Too many codes of devices were entered from this address',
  })

  /**
   * Beginning a sign-in costs a row in the store. The codes of devices are short, so that people can type them: whoever tries
   * them is slowed to where trying is hopeless.
   */
  around(callerOf: CallerOf): Middleware {
    return async (ctx, next) => {
      const key = addressKey(callerOf(ctx.req).peer)
      try {
        if (ctx.path === oauthPaths.authorization || ctx.path === oauthPaths.deviceAuthorization) {
          await this.#begun.take(key)
        }
        if (ctx.path === oauthPaths.device && ctx.method === 'POST') await this.#userCodes.take(key)
      } catch (thrown) {
        const error = asPosternError(thrown)
        ctx.set('Retry-After', retryAfterOf(error))
        if (ctx.path !== oauthPaths.deviceAuthorization) return showFailure(ctx, error, thrown)
        const { status, body } = oauthError(error)
        ctx.status = status
        ctx.body = body
        return undefined
      }
      return next()
    }
  }
}
