/** Whether the text is an IPv4 or IPv6 address, without brackets, port or zone. */
export function isIpAddress(text: string): boolean {
  return addressBits(text) !== undefined
}

/** Whether the text is an address with or without a prefix length, as in `10.0.0.0/8` and `::1`. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const bits = addressBits(address)
  if (bits === undefined || rest.length > 0) return false
  return prefix === undefined || (/^(0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= bits)
}

/** Whether only programs on this machine can reach a listener at this host. A name other than `localhost` may be anything. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || (host.startsWith('127.') && addressBits(host) === 32)
}

/** Whether a listener at this host listens on every address of the machine. */
export function isWildcardHost(host: string): boolean {
  return host === '0.0.0.0' || /^[0:]+$/.test(host)
}

function addressBits(text: string): 32 | 128 | undefined {
  if (/^((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(?!$)|$)){4}$/.test(text)) return 32
  // The URL parser knows the grammar of IPv6; the characters are limited first so that nothing else reaches it.
  return /^[0-9a-f:.]+$/i.test(text) && text.includes(':') && URL.canParse(`http://[${text}]/`) ? 128 : undefined
}
