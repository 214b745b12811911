import { html } from './html.ts'
import type { Page } from './page.ts'

/** An identity provider as the sign-in page offers it. */
export interface SignInLink {
  readonly name: string
  readonly href: string
}

/** Asks who somebody is, with a password or by an identity provider. */
export function signInPage(view: {
  readonly workspaceName: string
  readonly clientName: string
  readonly email: string
  /** Read aloud by screen readers; one sentence for every reason why a password was refused. */
  readonly failure: string | undefined
  readonly links: readonly SignInLink[]
  readonly isPasswordOffered: boolean
  readonly formToken: string
  readonly formTargets: readonly string[]
}): Page {
  const { links, formToken } = view
  const token = html`<input type="hidden" name="form_token" value="${formToken}" />`
  return {
    title: 'Sign in',
    formTargets: view.formTargets,
    body: html`<h1>Sign in to ${view.workspaceName}</h1>
      <p class="aside">to continue with ${view.clientName}</p>
      ${view.failure === undefined ? undefined : html`<p class="alarm" role="alert">${view.failure}</p>`}
      ${links.map(({ name, href }) => html`<a class="button" href="${href}">Continue with ${name}</a>`)}
      ${links.length > 0 && view.isPasswordOffered ? html`<hr />` : undefined}
      ${
        view.isPasswordOffered
          ? html`<form method="post">
              ${token}
              <label for="email">E-mail</label>
              <input
                id="email"
                name="email"
                type="email"
                value="${view.email}"
                autocomplete="username"
                maxlength="254"
                required${view.email === '' ? html` autofocus` : undefined}
              />
              <label for="password">Password</label>
              <input
                id="password"
                name="password"
                type="password"
                autocomplete="current-password"
                maxlength="1024"
                required${view.email === '' ? undefined : html` autofocus`}
              />
              <button name="action" value="sign-in">Sign in</button>
            </form>`
          : undefined
      }
      <form method="post">${token}<button class="quiet" name="action" value="cancel">Cancel</button></form>`,
  }
}
