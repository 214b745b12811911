import { PosternError } from '../../base/errors.ts'
import { PLACEHOLDER_ADDRESS } from './options.ts'

/** Where a listener sends us on to (SCAN and shared servers do so). */
export interface RedirectTarget {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

const HEADER_BYTES = 8
const LENGTH_AT = 8
const DATA_AT = 10
const DATA_OF_DATA_PACKET_AT = 10
const REDIRECT = 5
/** The new address ends at a zero byte, and connect data for it follows. */
const HAS_CONNECT_DATA = 0x02
const MAX_DATA_BYTES = 4096

/** How many bytes of a REDIRECT packet's data come in a packet of their own; 0 when all are in it. */
export function redirectOverflow(packet: Buffer): number {
  const length = packet.length < DATA_AT ? 0 : packet.readUInt16BE(LENGTH_AT)
  return length > packet.length - DATA_AT ? length : 0
}

/**
 * Reads a REDIRECT of a listener strictly, and writes it anew so that the driver learns no address from it.
 * @param overflow the DATA packet with its data, where that did not fit
 * @throws PosternError UPSTREAM_ADDRESS_REFUSED for anything but one plain address and clean connect data
 */
export function readRedirect(
  packet: Buffer,
  flags: number,
  overflow: Buffer | undefined,
): { readonly target: RedirectTarget; readonly rewritten: Buffer } {
  const data = overflow === undefined ? packet.subarray(DATA_AT) : overflow.subarray(DATA_OF_DATA_PACKET_AT)
  if (data.length > MAX_DATA_BYTES) throw refused()
  const split = (flags & HAS_CONNECT_DATA) === 0 ? -1 : data.indexOf(0)
  const address = data.toString('latin1', 0, split < 0 ? data.length : split)
  const connectData = split < 0 ? Buffer.alloc(0) : data.subarray(split)
  // It is sent on to the new address: bytes of another protocol must not ride along.
  if (split >= 0 && !/^\0\(DESCRIPTION=[\x20-\x7e]*$/i.test(connectData.toString('latin1'))) throw refused()
  return { target: readAddress(address), rewritten: writeRedirect(flags, connectData) }
}

function readAddress(text: string): RedirectTarget {
  const compact = text.replaceAll(' ', '')
  const [, inner] = /^\(ADDRESS=((?:\([A-Z]+=[A-Za-z0-9_.:-]+\))+)\)$/i.exec(compact) ?? []
  const parts = new Map<string, string>()
  for (const [, key = '', value = ''] of (inner ?? '').matchAll(/\(([A-Z]+)=([^()]+)\)/gi)) {
    if (parts.has(key.toUpperCase())) throw refused()
    parts.set(key.toUpperCase(), value)
  }
  const [protocol, host, port] = ['PROTOCOL', 'HOST', 'PORT'].map((key) => parts.get(key) ?? '')
  const isKnown = /^tcps?$/i.test(protocol ?? '') && /^\d{1,5}$/.test(port ?? '') && Number(port) <= 65_535
  if (!isKnown || host === undefined || host === '' || parts.size !== 3) throw refused()
  return { host, port: Number(port), isTls: protocol?.toLowerCase() === 'tcps' }
}

function writeRedirect(flags: number, connectData: Buffer): Buffer {
  const address = Buffer.from(`(ADDRESS=(PROTOCOL=tcp)(HOST=${PLACEHOLDER_ADDRESS})(PORT=1))`)
  const data = Buffer.concat([address, connectData])
  const packet = Buffer.alloc(DATA_AT + data.length)
  packet.writeUInt16BE(packet.length, 0)
  packet[4] = REDIRECT
  packet[5] = flags
  packet.writeUInt16BE(data.length, LENGTH_AT)
  data.copy(packet, DATA_AT)
  return packet
}

function refused(): PosternError {
  return new PosternError(
    'UPSTREAM_ADDRESS_REFUSED',
    'the listener of the database redirects to something that is no plain address',
  )
}

/** Whether these bytes can begin an answer of a listener: ACCEPT, REFUSE, REDIRECT, RESEND or DATA, without checksums. */
export function looksLikeTns(start: Buffer): boolean {
  if (start.length < HEADER_BYTES) return false
  const isKnown = [2, 4, REDIRECT, 6, 11, 12, 14].includes(start[4] ?? 0)
  return isKnown && start.readUInt16BE(2) === 0 && start.readUInt16BE(6) === 0 && start.readUInt16BE(0) >= HEADER_BYTES
}
