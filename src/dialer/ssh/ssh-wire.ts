/** A `string` of the SSH protocols: its length in four bytes, then the bytes (RFC 4251 section 5). */
export function sshString(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** The strings at the beginning of `bytes`, one after the other; undefined where they do not fit in. */
export function readSshStrings(bytes: Buffer, count: number): Buffer[] | undefined {
  const strings: Buffer[] = []
  let offset = 0
  for (let index = 0; index < count; index++) {
    if (offset + 4 > bytes.length) return undefined
    const end = offset + 4 + bytes.readUInt32BE(offset)
    if (end > bytes.length) return undefined
    strings.push(bytes.subarray(offset + 4, end))
    offset = end
  }
  return strings
}
