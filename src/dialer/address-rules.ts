import { PosternError } from '../base/errors.ts'
import { embeddedIpv4, parseIpAddress, type IpAddress } from './ip-address.ts'

/** Never a database, always something to steal from or to confuse: kept in this order in the reference page. */
const ALWAYS_DENIED = [
  '0.0.0.0/8', // "this host": reaches loopback services on Linux
  '::/128',
  '169.254.0.0/16', // link-local, with the metadata address of AWS, GCP, Azure and others
  'fe80::/10',
  'fec0::/10', // site-local, deprecated
  'fd00:ec2::/32', // AWS over IPv6: metadata, and the credentials of pods
  'fd20:ce::254/128', // GCP metadata over IPv6
  '100.100.100.200/32', // Alibaba Cloud metadata
  '168.63.129.16/32', // Azure wire server
  '192.0.0.192/32', // Oracle Cloud metadata
  '224.0.0.0/4', // multicast
  'ff00::/8',
  '240.0.0.0/4', // reserved and broadcast
]

interface AddressRange {
  readonly bits: 32 | 128
  readonly shift: bigint
  readonly prefix: bigint
}

/**
 * Which addresses Postern never dials. Asked about resolved addresses at the time of dialing, so that a name cannot pass the
 * check and then lead elsewhere (design section 5, invariant 4).
 */
export class AddressRules {
  readonly #denied: readonly AddressRange[]

  private constructor(denied: readonly AddressRange[]) {
    this.#denied = denied
  }

  /**
   * The built-in rules and the operator's.
   * @param deniedCidrs addresses or CIDR ranges, IPv4 or IPv6
   * @throws PosternError CONFIG_INVALID naming the range that cannot be read
   */
  static create(deniedCidrs: readonly string[] = []): AddressRules {
    return new AddressRules([...ALWAYS_DENIED, ...deniedCidrs].map(parseRange))
  }

  /** Whether `address` may not be dialed. What is no IP address is refused as well. */
  refuses(address: string): boolean {
    const parsed = parseIpAddress(address)
    if (parsed === undefined) return true
    const embedded = embeddedIpv4(parsed)
    return this.#contains(parsed) || (embedded !== undefined && !isLoopback6(parsed) && this.#contains(embedded))
  }

  #contains({ bits, value }: IpAddress): boolean {
    return this.#denied.some((range) => range.bits === bits && value >> range.shift === range.prefix)
  }
}

/** ::1 lies in the IPv4-compatible range, where it would read as 0.0.0.1. */
function isLoopback6(address: IpAddress): boolean {
  return address.bits === 128 && address.value === 1n
}

function parseRange(text: string): AddressRange {
  const [base = '', length] = text.split('/')
  const address = parseIpAddress(base)
  const prefixLength = length === undefined ? address?.bits : /^\d{1,3}$/.test(length) ? Number(length) : undefined
  if (address === undefined || prefixLength === undefined || prefixLength > address.bits) {
    throw new PosternError(
      'CONFIG_INVALID',
      `denied address ${JSON.stringify(text)} is neither an IP address nor a CIDR range`,
    )
  }
  const shift = BigInt(address.bits - prefixLength)
  return { bits: address.bits, shift, prefix: address.value >> shift }
}
