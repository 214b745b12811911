import type { KoaContextWithOIDC } from 'oidc-provider'
import { PosternError } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import { signInWithPassword } from '../../identity/sign-in-with-password.ts'
import { readSignInWays } from '../../store/sign-in-ways.ts'
import { retryAfterOf } from '../oauth-error.ts'
import { signInPage } from '../pages/sign-in-page.ts'
import { finishInteraction, keepSignIn } from './finish-interaction.ts'
import { formTargetsOf } from './form-targets.ts'
import type { Interaction, InteractionDependencies } from './interaction-dependencies.ts'
import { requestParameter } from './request-parameter.ts'
import { sendPage } from './send-page.ts'
import { markBrowser, ssoMountPath } from './sso-cookie.ts'

const emailMaxChars = 254
const passwordMaxChars = 1024

/** What everybody reads whose sign-in is refused: it does not tell whether the user exists. */
const neutralFailure = 'E-mail or password is wrong.'

/** Shows the sign-in page. */
export async function showSignIn(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  answer: { readonly status: number; readonly email: string; readonly failure?: string },
): Promise<void> {
  const { uid } = interaction
  const clientId = requestParameter(interaction, 'client_id')
  const client = await deps.provider.Client.find(clientId)
  const { providers, isPasswordOffered } = await readSignInWays(deps.store.db, deps.workspace.id)
  if (providers.length > 0) markBrowser(deps, ctx, uid)
  const page = signInPage({
    workspaceName: deps.workspace.name,
    clientName: client?.clientName ?? clientId,
    email: answer.email,
    failure: answer.failure,
    links: providers.map(({ id, name }) => ({ name, href: `${ssoMountPath}/${id}?interaction=${uid}` })),
    isPasswordOffered,
    formToken: deps.formTokens.for(uid),
    formTargets: formTargetsOf(interaction),
  })
  sendPage(ctx, answer.status, page)
}

/** Takes the form of the sign-in page. */
export async function takeSignIn(
  deps: InteractionDependencies,
  ctx: KoaContextWithOIDC,
  interaction: Interaction,
  form: URLSearchParams,
): Promise<void> {
  if (form.get('action') === 'cancel') return finishInteraction(ctx, interaction, { error: 'access_denied' })
  const email = (form.get('email') ?? '').trim().slice(0, emailMaxChars)
  const password = form.get('password') ?? ''
  const again = (status: number, failure: string) => showSignIn(deps, ctx, interaction, { status, email, failure })
  const { isPasswordOffered } = await readSignInWays(deps.store.db, deps.workspace.id)
  if (!isPasswordOffered) return again(400, 'This workspace signs in by its identity provider.')
  if (email === '' || password === '' || password.length > passwordMaxChars) return again(400, neutralFailure)
  const attempt = { workspaceId: deps.workspace.id, email, password: new Secret(password), ...deps.callerOf(ctx.req) }
  try {
    const signIn = await signInWithPassword(deps, attempt)
    if (!signIn.ok) return await again(400, neutralFailure)
    ctx.status = 303
    return ctx.redirect(await keepSignIn(deps, ctx, interaction, signIn.principalId, 'pwd'))
  } catch (thrown) {
    if (!(thrown instanceof PosternError) || thrown.code !== 'RATE_LIMITED') throw thrown
    ctx.set('Retry-After', retryAfterOf(thrown))
    return again(429, `${thrown.message}. Wait a minute, then try again.`)
  }
}
