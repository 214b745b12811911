import { html } from './html.ts'
import type { Page } from './page.ts'

/** Says something and asks nothing. */
export function messagePage(title: string, text: string, next?: string): Page {
  return {
    title,
    body: html`<h1>${title}</h1>
      <p>${text}</p>
      ${next === undefined ? undefined : html`<p class="aside">${next}</p>`}`,
  }
}
