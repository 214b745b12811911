import type { ReadyFacts } from '../ready-file.ts'
import { demoDatabase, demoInstance } from './demo-session.ts'
import type { MainJob } from './main-job.ts'

/** What the demo prints once everything runs: what it just did, and lines to paste. No secret is printed: they are in files. */
export function describeDemo(
  ready: ReadyFacts,
  clientId: string,
  curlConfig: string,
  job: MainJob,
  seconds: number,
): string {
  const { httpUrl, gatewayHost, gatewayPort, caFile } = ready
  const token = `sed -E 's/.*"(access_)?token":"([^"]+)".*/\\2/'`
  return `
Postern is ready after ${seconds.toFixed(1)} s.

What just happened
${job.steps.map(({ what, elapsedMs }, i) => `  ${i + 1}. ${what.padEnd(66)} ${elapsedMs.toFixed(0).padStart(4)} ms`).join('\n')}

${table(job.rows)}

Try it yourself (paste all of it; the credential is good for one hour)
  ACCESS=$(curl -s -K ${quoted(curlConfig)} -d grant_type=client_credentials -d scope=all-apis \\
    ${httpUrl}/oidc/v1/token | ${token})
  export PGPASSWORD=$(curl -s -H "Authorization: Bearer $ACCESS" -H 'Content-Type: application/json' \\
    -d '{"instance_names":["${demoInstance}"]}' ${httpUrl}/api/2.0/database/credentials | ${token})
  export PGSSLROOTCERT=${quoted(caFile)}
  psql "host=${gatewayHost} port=${gatewayPort} dbname=${demoDatabase} user=${clientId} sslmode=verify-full" \\
    -c 'table shop.monthly_sales'

As the admin, with the command line
  export POSTERN_HOST=${httpUrl}
  bin/postern login --email ${ready.adminEmail} --password-file ${quoted(ready.adminPasswordFile)}
  bin/postern instance list
  bin/postern psql ${demoInstance}
  bin/postern audit list

Addresses
  web       ${httpUrl}/
  gateway   ${gatewayHost}:${gatewayPort} (any Postgres client, TLS)
  CA file   ${caFile}

It stays up until Ctrl-C. The data stays too; delete the data folder to start over.
`
}

/** One word of a shell, whatever the path holds. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`
}

function table(rows: MainJob['rows']): string {
  const columns = Object.keys(rows[0] ?? {})
  const width = (column: string) => Math.max(column.length, ...rows.map((row) => String(row[column]).length))
  const line = (cells: readonly string[]) =>
    `     ${cells.map((cell, i) => cell.padStart(width(columns[i] ?? ''))).join('  ')}`
  return [line(columns), ...rows.map((row) => line(columns.map((column) => String(row[column]))))].join('\n')
}
