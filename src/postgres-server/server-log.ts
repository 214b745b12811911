import { appendFileSync, existsSync, renameSync, statSync } from 'node:fs'

const MAX_BYTES = 4 * 1024 * 1024

/**
 * The text that a Postgres server prints, in a file of bounded size: at {@link MAX_BYTES} it becomes `….1`, replacing the
 * one before. What SQL makes a server print can therefore not fill the disk.
 */
export class ServerLog {
  readonly path: string
  #bytes: number

  constructor(path: string) {
    this.path = path
    this.#bytes = existsSync(path) ? statSync(path).size : 0
  }

  append(chunk: Uint8Array): void {
    if (this.#bytes + chunk.length > MAX_BYTES) {
      if (existsSync(this.path)) renameSync(this.path, `${this.path}.1`)
      this.#bytes = 0
    }
    appendFileSync(this.path, chunk, { mode: 0o600 })
    this.#bytes += chunk.length
  }
}
