import { html } from './html.ts'
import type { Page } from './page.ts'

/** Asks the one who is signed in whether a client may act for him. */
export function consentPage(view: {
  readonly workspaceName: string
  readonly userName: string
  readonly clientName: string
  /** Whether the client was allowed before: then the page asks only who goes on. */
  readonly isKnownClient: boolean
  readonly isOffline: boolean
  readonly formToken: string
  readonly formTargets: readonly string[]
}): Page {
  const { clientName, userName, workspaceName } = view
  return {
    title: view.isKnownClient ? 'Continue' : `Allow ${clientName}`,
    formTargets: view.formTargets,
    body: html`<h1>${view.isKnownClient ? `Continue to ${clientName}` : `Allow ${clientName}?`}</h1>
      <p class="aside">You are signed in to ${workspaceName} as <strong>${userName}</strong>.</p>
      ${
        view.isKnownClient
          ? undefined
          : html`<p>It will be able to:</p>
              <ul>
                <li>do in this workspace whatever you may do</li>
                <li>get database credentials in your name</li>
                ${view.isOffline ? html`<li>stay signed in when you are not there, until you sign it out</li>` : undefined}
              </ul>`
      }
      <p class="aside">Go on only if you have just started ${clientName} yourself, on a computer that you trust.</p>
      <form method="post">
        <input type="hidden" name="form_token" value="${view.formToken}" />
        <button name="action" value="allow">${view.isKnownClient ? `Continue as ${userName}` : 'Allow'}</button>
        <button class="quiet" name="action" value="switch">Sign in as somebody else</button>
        <button class="quiet" name="action" value="cancel">Cancel</button>
      </form>`,
  }
}
