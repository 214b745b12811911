import type { Command } from 'commander'
import type { PrincipalReference } from '../contract/postgres-roles.ts'
import { CliError } from './cli-error.ts'

/** How a command names a user, a service principal or a group. */
export interface PrincipalOptions {
  readonly user?: string
  readonly servicePrincipal?: string
  readonly group?: string
  readonly principalId?: string
}

/** `--user`, `--service-principal`, `--group` and `--principal-id`, of which {@link principalOf} takes exactly one. */
export function addPrincipalOptions(command: Command): Command {
  return command
    .option('--user <email>', 'the principal: a user')
    .option('--service-principal <client-id>', 'the principal: a service principal')
    .option('--group <name>', 'the principal: a group, for all its members')
    .option('--principal-id <id>', 'the principal: by its id')
}

/** @throws CliError caller unless exactly one of the options was given */
export function principalOf({ user, servicePrincipal, group, principalId }: PrincipalOptions): PrincipalReference {
  const named: PrincipalReference[] = []
  if (user !== undefined) named.push({ email: user })
  if (servicePrincipal !== undefined) named.push({ clientId: servicePrincipal })
  if (group !== undefined) named.push({ group })
  if (principalId !== undefined) named.push({ id: principalId })
  const [principal, another] = named
  if (principal !== undefined && another === undefined) return principal
  throw new CliError('caller', principal === undefined ? 'no principal is named' : 'more than one principal is named', {
    hint: 'Give exactly one of --user, --service-principal, --group and --principal-id.',
  })
}

/** Whether a listed principal is the one that the options name. */
export function isPrincipal(
  reference: PrincipalReference,
  { id, kind, name }: { readonly id: string; readonly kind: string; readonly name: string },
): boolean {
  if ('id' in reference) return id === reference.id
  if ('email' in reference) return kind === 'user' && name.toLowerCase() === reference.email.toLowerCase()
  if ('clientId' in reference) return kind === 'service_principal' && name === reference.clientId
  return kind === 'group' && name === reference.group
}
