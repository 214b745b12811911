import { isIP } from 'node:net'

/** An IP address as a number of `bits` bits. */
export interface IpAddress {
  readonly bits: 32 | 128
  readonly value: bigint
}

/** Reads an IPv4 or IPv6 address in any notation that sockets accept; a zone (`%eth0`) is left out. Undefined: not an address. */
export function parseIpAddress(text: string): IpAddress | undefined {
  const address = text.split('%', 1)[0] ?? ''
  const version = isIP(address)
  if (version === 4) return { bits: 32, value: ipv4Value(address) }
  if (version === 6) return { bits: 128, value: ipv6Value(address) }
  return undefined
}

/**
 * The IPv4 address that an IPv6 address stands for, where it is one of the forms that a network or an operating system
 * translates: mapped (::ffff:0:0/96), translated (::ffff:0:0:0/96), compatible (::/96), NAT64 (64:ff9b::/96, and a network's
 * own below 64:ff9b:1::/48, RFC 8215), 6to4 (2002::/16).
 */
export function embeddedIpv4(address: IpAddress): IpAddress | undefined {
  if (address.bits === 32) return undefined
  const { value } = address
  const upper = value >> 32n
  if (
    upper === 0xffffn ||
    upper === 0xffff_0000n ||
    upper === 0n ||
    upper === 0x64_ff9bn << 64n ||
    value >> 80n === 0x64_ff9b_0001n
  ) {
    return { bits: 32, value: value & 0xffff_ffffn }
  }
  if (value >> 112n === 0x2002n) return { bits: 32, value: (value >> 80n) & 0xffff_ffffn }
  return undefined
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((value, part) => (value << 8n) | BigInt(Number(part)), 0n)
}

function ipv6Value(address: string): bigint {
  const [before = '', after] = address.split('::')
  const head = ipv6Groups(before)
  const tail = after === undefined ? [] : ipv6Groups(after)
  const zeros = Array<number>(8 - head.length - tail.length).fill(0)
  return [...head, ...zeros, ...tail].reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

function ipv6Groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const value = Number(ipv4Value(group))
    return [value >>> 16, value & 0xffff]
  })
}
