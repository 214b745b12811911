import { createHash } from 'node:crypto'
import type { HttpApp } from '../route.ts'
import type { RequestWorkspaces } from '../workspace-of-request.ts'

const style = `
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fbfaf7; --line: #d9d5cb; --stone: #6b7280; --gate: #8a4b1f }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e4da; --paper: #16191d; --line: #333a42; --stone: #9aa3ad; --gate: #e0a06a } }
body { margin: 0 auto; max-width: 46rem; padding: 3rem 1.5rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif }
h1 { font-size: 2rem; margin: 0 0 .25rem; letter-spacing: -.02em }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.5rem }
p.lead { color: var(--stone); margin-top: 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem }
dt { color: var(--stone) }
dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: .9em/1.5 ui-monospace, monospace }
pre { border: 1px solid var(--line); border-left: 3px solid var(--gate); padding: .9rem 1rem; overflow-x: auto }
a { color: var(--gate) }
@media (max-width: 34rem) {
  body { padding: 1.5rem 1rem }
  dl { grid-template-columns: 1fr; gap: 0 }
  dd { margin-bottom: .75rem }
}
`
/** For the Content-Security-Policy: this style and no other, and no script at all. */
export const homeStyleHash = `'sha256-${createHash('sha256').update(style).digest('base64')}'`

/** `/`: what this is, its addresses, and how to get in. Static: it reads nothing of the workspace but its address. */
export function homeRoutes(
  app: HttpApp,
  deps: { readonly workspaces: RequestWorkspaces; readonly gatewayPort: number },
): void {
  app.get('/', { schema: { hide: true } }, async (request, reply) => {
    const workspace = await deps.workspaces.of(request)
    reply.type('text/html; charset=utf-8')
    return page(deps.workspaces.originOf(workspace), workspace.name, workspace.gatewayDomain, deps.gatewayPort)
  })
}

function page(origin: string, workspaceName: string, gatewayDomain: string, gatewayPort: number): string {
  const url = escapeHtml(origin)
  const name = escapeHtml(workspaceName)
  const domain = escapeHtml(gatewayDomain)
  // Not every name service knows the names under localhost.
  const address = gatewayDomain.endsWith('.localhost') ? ' hostaddr=127.0.0.1' : ''
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Postern: ${name}</title>
<style>${style}</style>
</head>
<body>
<h1>Postern</h1>
<p class="lead">The one guarded door to the databases of the workspace <strong>${name}</strong>.</p>
<p>Sign in as yourself, get a database credential that lasts an hour, and use it as the password of any Postgres client.
No password to keep, no agent and no driver to install.</p>
<h2>Log in to a database</h2>
<pre>export POSTERN_HOST=${url}
postern login --email YOU@EXAMPLE
postern instance list
postern psql INSTANCE</pre>
<p>A program uses its service principal instead. The access token buys a database credential:</p>
<pre>ACCESS_TOKEN=$(curl -s ${url}/oidc/v1/token \\
  -u "$CLIENT_ID:$CLIENT_SECRET" \\
  -d grant_type=client_credentials -d scope=all-apis | jq -r .access_token)

export PGPASSWORD=$(curl -s ${url}/api/2.0/database/credentials \\
  -H "Authorization: Bearer $ACCESS_TOKEN" -H 'Content-Type: application/json' \\
  -d '{"instance_names": ["INSTANCE"]}' | jq -r .token)</pre>
<h2>Verify the gateway</h2>
<p>The credential is a password, so hand it to nobody but the gateway: fetch the certificate authority once, and let every
client check it with <code>sslmode=verify-full</code>.</p>
<pre>curl -s ${url}/v1/gateway -H "Authorization: Bearer $ACCESS_TOKEN" \\
  | jq -r .caPem &gt; postern-ca.pem

psql "host=INSTANCE.${domain}${address} port=${gatewayPort} \\
  dbname=databricks_postgres user=$CLIENT_ID \\
  sslmode=verify-full sslrootcert=postern-ca.pem"</pre>
<p>The user is the Postgres role bound to the service principal, named by its client id unless an administrator chose
another name.</p>
<h2>Addresses</h2>
<dl>
<dt>API</dt><dd><a href="/v1/openapi.json">${url}/v1</a> (OpenAPI)</dd>
<dt>Token endpoint</dt><dd><code>${url}/oidc/v1/token</code></dd>
<dt>Discovery</dt><dd><a href="/oidc/.well-known/openid-configuration">${url}/oidc/.well-known/openid-configuration</a></dd>
<dt>Gateway</dt><dd><code>INSTANCE.${domain}:${gatewayPort}</code></dd>
<dt>Health</dt><dd><a href="/healthz">/healthz</a> · <a href="/readyz">/readyz</a></dd>
</dl>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
