import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { withDeadline } from '../base/deadline.ts'
import { PosternError } from '../base/errors.ts'
import type { AddressRules } from './address-rules.ts'
import { resolveFailure } from './dial-errors.ts'

/**
 * Every address of a host that may be dialed, in the order of the resolver. One refused address refuses the host: a name
 * that also leads to a forbidden place is not to be trusted with the rest.
 *
 * @throws PosternError UPSTREAM_NAME_UNKNOWN | UPSTREAM_ADDRESS_REFUSED
 */
export async function resolveHost(host: string, rules: AddressRules, timeoutMs: number): Promise<readonly string[]> {
  const addresses = isIP(host) === 0 ? await lookUp(host, timeoutMs) : [host]
  if (addresses.length === 0) throw resolveFailure(undefined)
  const refused = addresses.filter((address) => rules.refuses(address))
  if (refused.length === 0) return addresses
  throw new PosternError(
    'UPSTREAM_ADDRESS_REFUSED',
    'the host leads to an address that Postern never dials (link-local, cloud metadata, or one that the operator denied)',
    {
      detail: { host, refused },
    },
  )
}

async function lookUp(host: string, timeoutMs: number): Promise<readonly string[]> {
  try {
    const found = await withDeadline(
      lookup(host, { all: true, verbatim: true }),
      timeoutMs,
      'UPSTREAM_NAME_UNKNOWN',
      'the host name of the database was not resolved in time',
    )
    return found.map(({ address }) => address)
  } catch (thrown) {
    throw thrown instanceof PosternError ? thrown : resolveFailure(thrown)
  }
}
