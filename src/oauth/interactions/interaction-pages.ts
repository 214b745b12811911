import type { KoaContextWithOIDC } from 'oidc-provider'
import { asPosternError, PosternError } from '../../base/errors.ts'
import { translateStoreError } from '../../store/constraint-errors.ts'
import type { OidcProviderModule } from '../load-provider.ts'
import { oauthPaths } from '../provider-configuration.ts'
import { showConsent, takeConsent } from './consent-step.ts'
import { showFailure } from './failure-pages.ts'
import type { Interaction, InteractionDependencies, Middleware } from './interaction-dependencies.ts'
import { readForm } from './read-form.ts'
import { signInIsOver } from './sign-in-is-over.ts'
import { requestParameter } from './request-parameter.ts'
import { showSignIn, takeSignIn } from './sign-in-step.ts'

const interactionPath = new RegExp(`^${oauthPaths.interaction}/([\\w-]{1,64})$`)

/**
 * The pages on which an authorization request waits for a person: sign-in, then consent. A request belongs to the browser that
 * began it, by a signed cookie; its forms bring back a token that only a page of the same request held.
 */
export function interactionPages(module: OidcProviderModule, deps: InteractionDependencies): Middleware {
  return async (ctx, next) => {
    const uid = interactionPath.exec(ctx.path)?.[1]
    if (uid === undefined) return next()
    try {
      const interaction = await interactionOf(module, deps, ctx, uid)
      if (ctx.method === 'GET') return await show(deps, ctx, interaction)
      const form = await readForm(ctx.req)
      if (!deps.formTokens.isFor(uid, form.get('form_token'))) {
        throw new PosternError('PERMISSION_DENIED', 'This form was not sent by the page that showed it')
      }
      return await take(deps, ctx, interaction, form)
    } catch (thrown) {
      return showFailure(ctx, asPosternError(translateStoreError(thrown)), thrown)
    }
  }
}

function show(deps: InteractionDependencies, ctx: KoaContextWithOIDC, interaction: Interaction): Promise<void> {
  if (interaction.prompt.name === 'consent') return showConsent(deps, ctx, interaction)
  return showSignIn(deps, ctx, interaction, {
    status: 200,
    email: requestParameter(interaction, 'login_hint').slice(0, 254),
  })
}

function take(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  form: URLSearchParams,
): Promise<void> {
  if (interaction.prompt.name === 'consent') return takeConsent(deps, ctx, interaction, form)
  return takeSignIn(deps, ctx, interaction, form)
}

/** @throws PosternError NOT_FOUND for a request that is over, or that another browser began */
async function interactionOf(
  { errors }: OidcProviderModule,
  { provider }: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  uid: string,
): Promise<Interaction> {
  const interaction = await provider.interactionDetails(ctx.req, ctx.res).catch((thrown: unknown) => {
    if (thrown instanceof errors.SessionNotFound) return undefined
    throw thrown
  })
  if (interaction?.uid === uid) return interaction
  throw signInIsOver()
}
