import { createHash } from 'node:crypto'
import { Html, html } from './html.ts'

/** A page for people in the middle of signing in. Works without a script, and has none. */
export interface Page {
  readonly title: string
  readonly body: Html
  /** Where the answer to a form of the page may lead besides this site: browsers follow redirects of forms nowhere else. */
  readonly formTargets?: readonly string[]
}

const style = `
:root { color-scheme: light dark; --ink: #1d2733; --paper: #f4f1ea; --card: #fffefb; --line: #cfc9bc; --stone: #5b6472;
  --gate: #8a4b1f; --on-gate: #fff; --alarm: #9b1c1c }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e4da; --paper: #16191d; --card: #1e2227; --line: #454d57;
  --stone: #a9b1bb; --gate: #e0a06a; --on-gate: #16191d; --alarm: #ff9d94 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: flex; flex-direction: column; align-items: center; justify-content: center;
  padding: 1.5rem 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
header { display: flex; align-items: center; gap: .6rem; margin-bottom: 1.25rem; font-weight: 650; letter-spacing: -.01em }
header svg { width: 1.5rem; height: 1.75rem; color: var(--gate) }
main { width: 100%; max-width: 25rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
  padding: 1.75rem 1.5rem }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .35rem; letter-spacing: -.015em }
p { margin: 0 0 1rem; overflow-wrap: anywhere }
p.aside { color: var(--stone); font-size: .925rem }
p.alarm { color: var(--alarm); border-left: 3px solid; padding-left: .75rem }
ul { margin: 0 0 1rem; padding-left: 1.2rem }
form { margin: 0 }
label { display: block; font-weight: 600; margin: 0 0 .3rem }
input { width: 100%; min-height: 2.75rem; margin: 0 0 1rem; padding: .5rem .7rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--stone); border-radius: .4rem }
input.code { font: 1.4rem/1.5 ui-monospace, monospace; letter-spacing: .12em; text-align: center; text-transform: uppercase }
button, a.button { display: block; width: 100%; min-height: 2.75rem; padding: .55rem 1rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; cursor: pointer; color: var(--on-gate); background: var(--gate);
  border: 1px solid var(--gate); border-radius: .4rem }
button.quiet, a.quiet { color: var(--ink); background: transparent; border-color: var(--line) }
* + form, form + a.button, a.button + a.button, button + button { margin-top: .6rem }
:focus-visible { outline: 3px solid var(--gate); outline-offset: 2px }
code { font: 1.05em/1.5 ui-monospace, monospace; letter-spacing: .06em }
hr { border: 0; border-top: 1px solid var(--line); margin: 1.25rem 0 }
a { color: var(--gate) }
`

const styleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`

/** The whole document. */
export function documentOf({ title, body }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · Postern</title>
        ${new Html(`<style>${style}</style>`)}
      </head>
      <body>
        <header>
          <svg viewBox="0 0 24 28" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
            <path d="M2 27V12a10 10 0 0 1 20 0v15M7 27V12.5a5 5 0 0 1 10 0V27" />
            <circle cx="14" cy="19" r=".8" fill="currentColor" /></svg
          >Postern
        </header>
        <main>${body}</main>
      </body>
    </html> `.text
}

/**
 * Headers of a page. No frame may hold it, and its forms lead to this site and the named targets only. The referrer stays
 * within the site rather than away from it: a form of a page without one names no origin, and is then taken for a foreign one.
 */
export function pageHeaders({ formTargets = [] }: Page): Readonly<Record<string, string>> {
  const csp = [
    `default-src 'none'`,
    `style-src ${styleHash}`,
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    `base-uri 'none'`,
    `frame-ancestors 'none'`,
  ]
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': csp.join('; '),
    'Referrer-Policy': 'same-origin',
    'Cache-Control': 'no-store',
    'X-Frame-Options': 'DENY',
  }
}
