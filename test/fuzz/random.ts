/** Numbers that look random and come again with the same seed, so that whatever is found can be repeated. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to `below` - 1. @see mulberry32, public domain */
  int(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }

  chance(percent: number): boolean {
    return this.int(100) < percent
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(from.length)] as T
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) bytes[i] = this.int(256)
    return bytes
  }

  /** Cuts into up to `most` pieces, empty ones among them. */
  split(bytes: Uint8Array, most: number): Uint8Array[] {
    const cuts = Array.from({ length: this.int(most) }, () => this.int(bytes.length + 1)).toSorted((a, b) => a - b)
    return [...cuts, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : cuts[i - 1], end))
  }
}

/** Numbers at which lengths and versions go wrong. */
const edges = [0, 1, 3, 4, 7, 8, 9, 255, 256, 9_999, 10_000, 10_001, 65_535, 65_536, 0x7fffffff, -1, -0x80000000]

/** A copy that was damaged in one to four places: bits, bytes, lengths, pieces lost, doubled or put in. */
export function mutate(random: Random, original: Uint8Array): Buffer {
  let bytes = Buffer.from(original)
  for (let n = 1 + random.int(4); n > 0; n--) {
    const at = random.int(bytes.length + 1)
    const to = Math.min(bytes.length, at + random.int(16))
    switch (random.int(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.int(8))
        break
      case 1:
        if (at < bytes.length)
          bytes[at] = random.pick([0, 1, 0x20, 0x2f, 0x3d, 0x5c, 0x7f, 0x80, 0xff, random.int(256)])
        break
      case 2:
        if (bytes.length >= at + 4) bytes.writeInt32BE(random.pick(edges), at)
        break
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)])
        break
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)])
        break
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(random.int(12)), bytes.subarray(at)])
        break
      case 6:
        bytes = bytes.subarray(0, at)
        break
    }
  }
  return bytes
}
