import type { InteractionResults, KoaContextWithOIDC } from 'oidc-provider'
import type { PrincipalId } from '../../base/ids.ts'
import type { Interaction, InteractionDependencies } from './interaction-dependencies.ts'

/** How somebody proved who he is: as RFC 8176 names it where it does. */
export type SignInMethod = 'pwd' | 'sso'

/**
 * Keeps the answer of the person on this side.
 * @returns where the browser goes to have the authorization request go on
 */
async function keepResult(interaction: Interaction, result: InteractionResults): Promise<string> {
  interaction.result = 'error' in result ? result : { ...interaction.lastSubmission, ...result }
  await interaction.persist()
  return interaction.returnTo
}

/** Sends the browser back to the authorization request. */
export async function finishInteraction(
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  result: InteractionResults,
): Promise<void> {
  const address = await keepResult(interaction, result)
  ctx.status = 303
  ctx.redirect(address)
}

/**
 * Goes on as this principal. Whoever else was signed in in the browser is signed out; the session gets a new id either way,
 * so that one planted in the browser before is worth nothing.
 * @returns where the browser goes next
 */
export async function keepSignIn(
  { provider }: Pick<InteractionDependencies, 'provider'>,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  principalId: PrincipalId,
  method: SignInMethod,
): Promise<string> {
  const session = await provider.Session.get(ctx)
  if (session.accountId !== undefined && session.accountId !== principalId) {
    await session.destroy()
    delete interaction.session
  }
  return keepResult(interaction, { login: { accountId: principalId, amr: [method] } })
}
