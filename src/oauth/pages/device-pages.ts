import { html } from './html.ts'
import type { Page } from './page.ts'

/** Asks for the code that a device shows. */
export function deviceCodePage(view: {
  readonly action: string
  readonly formToken: string
  readonly userCode: string
  readonly failure: string | undefined
}): Page {
  return {
    title: 'Sign in a device',
    body: html`<h1>Sign in a device</h1>
      <p class="aside">Enter the code that <code>postern login --device</code> shows on it.</p>
      ${view.failure === undefined ? undefined : html`<p class="alarm" role="alert">${view.failure}</p>`}
      <form method="post" action="${view.action}">
        <input type="hidden" name="xsrf" value="${view.formToken}" />
        <label for="user_code">Code</label>
        <input
          id="user_code"
          class="code"
          name="user_code"
          value="${view.userCode}"
          maxlength="16"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          placeholder="XXXX-XXXX"
          required
          autofocus
        />
        <button>Continue</button>
      </form>`,
  }
}

/** Asks whether the code is the one on the device in front of the person: somebody else may have sent it. */
export function deviceConfirmPage(view: {
  readonly action: string
  readonly formToken: string
  readonly userCode: string
  readonly clientName: string
}): Page {
  const { userCode } = view
  return {
    title: 'Confirm the code',
    body: html`<h1>Is this your device?</h1>
      <p>You are about to sign in ${view.clientName} on the device that shows the code <code>${userCode}</code>.</p>
      <p class="alarm">
        Whoever holds that device will act in your name. Go on only if you started it yourself, just now. If somebody
        sent you this code, cancel.
      </p>
      <form method="post" action="${view.action}">
        <input type="hidden" name="xsrf" value="${view.formToken}" />
        <input type="hidden" name="user_code" value="${userCode}" />
        <button name="confirm" value="yes">It is my device</button>
        <button class="quiet" name="abort" value="yes">Cancel</button>
      </form>`,
  }
}
