import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'

/** Writes log lines to an open file. A reader that went away (`postern serve | head`) costs lines, not the server. */
export function fileSink(descriptor: number): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      try {
        writeSync(descriptor, String(line))
      } catch {
        // EPIPE, ENOSPC: there is nowhere left to report it.
      }
      done()
    },
  })
}
