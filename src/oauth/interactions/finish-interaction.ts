import type { InteractionResults, KoaContextWithOIDC } from 'oidc-provider'
import { epochSeconds } from '../../base/clock.ts'
import type { PrincipalId } from '../../base/ids.ts'
import type { Interaction, InteractionDependencies } from './interaction-dependencies.ts'

/** How somebody proved who he is: as RFC 8176 names it where it does. */
export type SignInMethod = 'pwd' | 'sso'

/** Sends the browser back to the authorization request, with the answer of the person kept on this side. */
export async function finishInteraction(
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  result: InteractionResults,
): Promise<void> {
  interaction.result = 'error' in result ? result : { ...interaction.lastSubmission, ...result }
  await interaction.save(interaction.exp - epochSeconds(new Date()))
  ctx.status = 303
  ctx.redirect(interaction.returnTo)
}

/**
 * Goes on as this principal. Whoever else was signed in in the browser is signed out; the session gets a new id either way,
 * so that one planted in the browser before is worth nothing.
 */
export async function finishSignIn(
  { provider }: Pick<InteractionDependencies, 'provider'>,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  principalId: PrincipalId,
  method: SignInMethod,
): Promise<void> {
  const session = await provider.Session.get(ctx)
  if (session.accountId !== undefined && session.accountId !== principalId) {
    await session.destroy()
    delete interaction.session
  }
  await finishInteraction(ctx, interaction, { login: { accountId: principalId, amr: [method] } })
}
