import type { KoaContextWithOIDC } from 'oidc-provider'
import { recordAudit } from '../../audit/record-audit.ts'
import { PosternError } from '../../base/errors.ts'
import type { PrincipalId } from '../../base/ids.ts'
import { giveConsent, isConsentGiven } from '../../store/oauth-consents.ts'
import { findPrincipalAccount, type PrincipalAccount } from '../account.ts'
import { commandLineClientId } from '../clients.ts'
import { consentPage } from '../pages/consent-page.ts'
import { accessTokenScope, offlineScope, resourceOf } from '../provider-configuration.ts'
import { finishInteraction } from './finish-interaction.ts'
import { formTargetsOf } from './form-targets.ts'
import type { Interaction, InteractionDependencies } from './interaction-dependencies.ts'
import { requestParameter } from './request-parameter.ts'
import { sendPage } from './send-page.ts'
import { showSignIn } from './sign-in-step.ts'

/**
 * Asks whether the client may go on. A client that comes with Postern, or was allowed before, needs no page right after a
 * sign-in: the person has just acted. From a browser that was signed in already it always needs one.
 */
export async function showConsent(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
): Promise<void> {
  const clientId = requestParameter(interaction, 'client_id')
  const account = await accountOf(deps, interaction)
  const client = await deps.provider.Client.find(clientId)
  const isKnownClient =
    clientId === commandLineClientId || (await isConsentGiven(deps.store.db, consentOf(deps, interaction)))
  if (isKnownClient && interaction.lastSubmission?.login !== undefined) return goOn(deps, ctx, interaction)
  const page = consentPage({
    workspaceName: deps.workspace.name,
    userName: account.name,
    clientName: client?.clientName ?? clientId,
    isKnownClient,
    isOffline: scopesOf(interaction).includes(offlineScope),
    formToken: deps.formTokens.for(interaction.uid),
    formTargets: formTargetsOf(interaction),
  })
  sendPage(ctx, 200, page)
}

/** Takes the form of the consent page. */
export async function takeConsent(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  form: URLSearchParams,
): Promise<void> {
  const action = form.get('action')
  if (action === 'cancel') return finishInteraction(ctx, interaction, { error: 'access_denied' })
  if (action === 'switch') return switchUser(deps, ctx, interaction)
  if (action !== 'allow') throw new PosternError('MALFORMED_REQUEST', 'This page takes the form that it shows')
  const account = await accountOf(deps, interaction)
  const consent = consentOf(deps, interaction)
  await deps.store.db.transaction().execute(async (transaction) => {
    await giveConsent(transaction, consent)
    await recordAudit(transaction, {
      ...deps.callerOf(ctx.req),
      action: 'oauthClient.allow',
      outcome: 'allowed',
      workspaceId: consent.workspaceId,
      actorId: consent.principalId,
      actorName: account.name,
      detail: { clientId: consent.clientId },
    })
  })
  return goOn(deps, ctx, interaction)
}

async function goOn(deps: InteractionDependencies, ctx: KoaContextWithOIDC, interaction: Interaction): Promise<void> {
  const { Grant } = deps.provider
  const grant = new Grant({
    accountId: interaction.session?.accountId,
    clientId: requestParameter(interaction, 'client_id'),
  })
  const scope = scopesOf(interaction).join(' ')
  grant.addOIDCScope(scope)
  grant.addResourceScope(resourceOf(deps.workspace.id), scope)
  // Every oidc-provider knows this one. It is answered with no: asked for and not answered, it would be asked for again.
  grant.rejectOIDCScope('openid')
  await finishInteraction(ctx, interaction, { consent: { grantId: await grant.save() } })
}

/** Somebody else signs in for the same request. */
async function switchUser(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
): Promise<void> {
  interaction.prompt = { name: 'login', reasons: ['switch'], details: {} }
  await interaction.persist()
  return showSignIn(deps, ctx, interaction, { status: 200, email: '' })
}

/** @throws PosternError PRINCIPAL_INACTIVE when it is not there any more, since the page was shown */
async function accountOf(deps: InteractionDependencies, interaction: Interaction): Promise<PrincipalAccount> {
  const id = interaction.session?.accountId
  const account = id === undefined ? undefined : await findPrincipalAccount(deps, deps.workspace.id, id)
  if (account === undefined) throw new PosternError('PRINCIPAL_INACTIVE', 'You are not signed in any more')
  return account
}

function consentOf({ workspace }: InteractionDependencies, interaction: Interaction) {
  const principalId = interaction.session?.accountId as PrincipalId
  return { workspaceId: workspace.id, principalId, clientId: requestParameter(interaction, 'client_id') }
}

/** What was asked for of what there is. */
function scopesOf(interaction: Interaction): string[] {
  const asked = requestParameter(interaction, 'scope').split(' ')
  return [accessTokenScope, offlineScope].filter((scope) => asked.includes(scope))
}
