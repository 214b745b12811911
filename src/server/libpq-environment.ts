/**
 * Forgets PGHOST, PGSSLMODE, PGOPTIONS and their like: the Postgres driver fills in from them whatever a URL leaves out, and
 * what an operator set for psql must not change how Postern reaches its own servers.
 */
export function forgetLibpqEnvironment(): void {
  // oxlint-disable-next-line node/no-process-env -- removed, not read
  const environment = process.env
  for (const name of Object.keys(environment)) if (name.startsWith('PG')) delete environment[name]
}
