import { readSshStrings } from './ssh-wire.ts'

const KEXINIT = 20
const COOKIE_BYTES = 16
/** Identification, lines before it, and one packet: more than any server sends before the keys are exchanged. */
const KEPT_MAX_BYTES = 64 * 1024

/** So many of each list: they go into a report. */
const NAMES_MAX = 40

/** What a server offers, as its first packet says. */
export interface OfferedAlgorithms {
  readonly keyExchanges: readonly string[]
  readonly hostKeys: readonly string[]
  readonly ciphers: readonly string[]
  readonly macs: readonly string[]
}

/**
 * Reads along what a server says in clear before the keys are exchanged: who it is and which algorithms it has. The SSH library
 * says only that nothing matched; this is how we can say what to enable.
 * @see RFC 4253 sections 4.2 and 7.1
 */
export class ServerOffer {
  #kept: Buffer = Buffer.alloc(0)
  #isDone = false
  /** Whether anything came at all. */
  hasSpoken = false
  /** `SSH-2.0-OpenSSH_9.2`; undefined when it does not speak SSH. */
  identification: string | undefined
  algorithms: OfferedAlgorithms | undefined

  receive(chunk: Uint8Array): void {
    if (this.#isDone) return
    this.hasSpoken = true
    this.#kept = Buffer.concat([this.#kept, chunk])
    if (this.identification === undefined) this.#readIdentification()
    if (this.identification !== undefined) this.#readAlgorithms()
    if (this.#kept.length <= KEPT_MAX_BYTES && this.algorithms === undefined) return
    this.#isDone = true
    this.#kept = Buffer.alloc(0)
  }

  #readIdentification(): void {
    for (;;) {
      const end = this.#kept.indexOf('\n')
      if (end === -1) return
      const line = this.#kept.subarray(0, end).toString('latin1').trimEnd()
      this.#kept = this.#kept.subarray(end + 1)
      if (!line.startsWith('SSH-')) continue
      this.identification = line.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 255)
      return
    }
  }

  #readAlgorithms(): void {
    if (this.#kept.length < 6) return
    const end = 4 + this.#kept.readUInt32BE(0)
    if (this.#kept.length < end || end > KEPT_MAX_BYTES) return
    if (this.#kept[5] !== KEXINIT) return
    const lists = readSshStrings(this.#kept.subarray(6 + COOKIE_BYTES, end), 6)?.map(names)
    const [keyExchanges, hostKeys, , ciphers, , macs] = lists ?? []
    if (!keyExchanges || !hostKeys || !ciphers || !macs) return
    this.algorithms = { keyExchanges, hostKeys, ciphers, macs }
  }
}

function names(list: Buffer): string[] {
  return list
    .toString('latin1')
    .split(',')
    .filter((name) => /^[\x21-\x7e]{1,64}$/.test(name))
    .slice(0, NAMES_MAX)
}
