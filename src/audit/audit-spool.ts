import fs from 'node:fs'
import path from 'node:path'
import { PosternError } from '../base/errors.ts'
import type { AuditRecord } from './audit-record.ts'

/**
 * Where audit records wait while the store is away: files of one JSON record per line in a folder of the worker's own.
 *
 * A record counts once its line is whole and synced (`fdatasync`); a torn last line was never acknowledged and is skipped.
 * Shipping works on closed segments, oldest first, and deletes a segment only after all of it was sent: what a crash interrupts
 * is sent again, and the ids make that harmless.
 */
export class AuditSpool {
  readonly #folder: string
  readonly #maxBytes: number
  #bytes = 0
  #open: { file: number; name: string } | undefined
  #nextSegment = 1

  /** @param folder is created (0700) when missing; segments of an earlier run in it are kept and shipped first */
  constructor(folder: string, maxBytes: number) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#bytes = this.#measure()
    this.#nextSegment = Number.parseInt(this.#segments().at(-1) ?? '0', 10) + 1
  }

  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  /**
   * Appends records and syncs them to disk.
   * @throws PosternError AUDIT_UNAVAILABLE when the spool is full or its disk fails
   */
  async append(records: readonly AuditRecord[]): Promise<void> {
    const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    if (this.#bytes + lines.length > this.#maxBytes) {
      throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written: the local spool is full')
    }
    try {
      const { file } = this.#openSegment()
      fs.writeSync(file, lines)
      await new Promise<void>((resolve, reject) => fs.fdatasync(file, (error) => (error ? reject(error) : resolve())))
      this.#bytes += lines.length
    } catch (cause) {
      // A line that may be torn must not have others behind it.
      this.#closeSegment()
      this.#bytes = this.#measure()
      throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written to the local spool', { cause })
    }
  }

  /** Yields what is spooled, oldest first, at most `max` records at a time. Ask for the next batch only after this one was sent. */
  async *batches(max: number): AsyncGenerator<AuditRecord[]> {
    this.#closeSegment()
    for (const name of this.#segments()) {
      const file = path.join(this.#folder, name)
      const content = await fs.promises.readFile(file, 'utf8')
      const records = content.split('\n').flatMap(parseLine)
      for (let at = 0; at < records.length; at += max) yield records.slice(at, at + max)
      await fs.promises.unlink(file)
      this.#bytes = this.#measure()
    }
  }

  close(): void {
    this.#closeSegment()
  }

  #measure(): number {
    return this.#segments().reduce((sum, name) => sum + fs.statSync(path.join(this.#folder, name)).size, 0)
  }

  #segments(): string[] {
    return fs
      .readdirSync(this.#folder)
      .filter((name) => name.endsWith('.ndjson'))
      .sort()
  }

  #openSegment(): { file: number; name: string } {
    if (this.#open === undefined) {
      const name = `${String(this.#nextSegment).padStart(12, '0')}.ndjson`
      this.#nextSegment += 1
      this.#open = { file: fs.openSync(path.join(this.#folder, name), 'ax', 0o600), name }
    }
    return this.#open
  }

  #closeSegment(): void {
    if (this.#open === undefined) return
    fs.closeSync(this.#open.file)
    this.#open = undefined
  }
}

function parseLine(line: string): AuditRecord[] {
  if (line === '') return []
  try {
    const record = JSON.parse(line)
    return [{ ...record, occurredAt: new Date(record.occurredAt) }]
  } catch {
    return []
  }
}
