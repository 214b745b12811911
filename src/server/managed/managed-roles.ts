/** Names of the Postgres roles that Postern makes on a managed instance, and of its first database (design section 5b). */

/** Bootstrap superuser: known to the supervisor alone, never a data source. */
export const SUPERVISOR_ROLE = 'postern_supervisor'
/** User of the admin data source. Not a superuser. */
export const ADMIN_ROLE = 'postern_admin'
/** The administrators' role that Postgres roles of people may be members of. */
export const ADMINISTRATORS_ROLE = 'databricks_superuser'
/** Every bound Postgres role is a member: pg_hba.conf sends its members to the peer map. */
export const BOUND_ROLE = 'postern_bound'
export const DEFAULT_DATABASE = 'databricks_postgres'

/** Name of the map in pg_ident.conf. */
const PEER_MAP = 'postern'

/**
 * Who may log in how on a managed instance: bound roles only through the gateway, whose operating-system user is mapped to
 * all of them, and with no password at all; everyone else by SCRAM. Nothing is trusted, nothing listens on TCP.
 *
 * `+role` matches indirect members and those who may only make others members, as the admin data source's user may: its line
 * comes before.
 */
export function managedHba(): string[] {
  return [
    `local all ${SUPERVISOR_ROLE},${ADMIN_ROLE} scram-sha-256`,
    `local all +${BOUND_ROLE} peer map=${PEER_MAP}`,
    'local all all scram-sha-256',
  ]
}

/** @param gatewayUser name of the operating-system user that the gateway runs as */
export function managedIdent(gatewayUser: string): string[] {
  return [`${PEER_MAP} "${gatewayUser}" all`]
}

/**
 * Settings of a managed instance's server. Trusted languages run inside it: whoever may create in a database may install them.
 * PL/Tcl has an event loop that no cancellation, termination or shutdown ends, and PL/Perl had ways out of its sandbox; so no
 * interpreter of either starts. Nobody but the supervisor can set these two, or make a function in pg_catalog.
 */
export function managedSettings(): Readonly<Record<string, string | number>> {
  return {
    max_connections: 200,
    shared_buffers: '128MB',
    'pltcl.start_proc': 'pg_catalog.pltcl_is_switched_off',
    'plperl.on_init': `die 'PL/Perl is switched off'`,
  }
}
