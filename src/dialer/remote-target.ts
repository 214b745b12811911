import { PosternError } from '../base/errors.ts'
import type { AddressRules } from './address-rules.ts'
import { parseIpAddress } from './ip-address.ts'

/**
 * Refuses a target that the last SSH server would dial for us when it is written as a forbidden address, in any of the spellings
 * that a resolver reads as one. A name is resolved over there, where our rules cannot see what it leads to: what an SSH server
 * may reach is up to its own configuration (`PermitOpen`).
 *
 * @throws PosternError UPSTREAM_ADDRESS_REFUSED
 */
export function checkRemoteTarget(host: string, rules: AddressRules): void {
  const text = host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  const address = parseIpAddress(text) === undefined ? legacyIpv4(text) : text
  if (address === undefined || !rules.refuses(address)) return
  throw new PosternError(
    'UPSTREAM_ADDRESS_REFUSED',
    'the host is an address that Postern never dials (link-local, cloud metadata, or one that the operator denied)',
    { detail: { host } },
  )
}

/** One to four numbers, each decimal, octal or hexadecimal, the last one filling what is left: inet_aton(3). */
function legacyIpv4(text: string): string | undefined {
  const parts = text.split('.')
  if (parts.length > 4 || !parts.every((part) => /^(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.test(part))) return undefined
  const numbers = parts.map((part) => (/^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part)))
  const last = numbers.pop() ?? 0
  const room = 256 ** (4 - numbers.length)
  if (last >= room || numbers.some((number) => number > 255)) return undefined
  const value = numbers.reduce((sum, number, index) => sum + number * 256 ** (3 - index), last)
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
