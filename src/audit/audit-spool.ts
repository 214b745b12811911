import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { PosternError } from '../base/errors.ts'
import type { AuditRecord } from './audit-record.ts'

const extension = '.ndjson'
/** Never shipped: a person has to look at what is in it. */
const setAsideName = 'set-aside.jsonl'

/**
 * Where audit records wait while the store is away: files of one JSON record per line in a folder of the worker's own.
 *
 * A record counts once its line is whole and synced (`fdatasync`); a line that could not be written whole is taken back, and a
 * line torn by a crash is skipped: neither was acknowledged. Shipping works on closed segments, oldest first, and deletes a
 * segment only after all of it was sent: what a crash interrupts is sent again, and the ids make that harmless.
 *
 * After `kill -9` of a supervisor its workers still drain while those of the next one start in the same folders. So a segment
 * is named by moment, process and chance, and only its own process touches it as long as that process lives.
 */
export class AuditSpool {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #run = `${process.pid}-${randomBytes(4).toString('hex')}`
  #bytes = 0
  #open: { readonly file: number; length: number } | undefined
  #segmentsMade = 0
  /** Appending and closing take turns: a file must not be closed while it is synced. */
  #turn: Promise<unknown> = Promise.resolve()

  /** @param folder is created (0700) when missing; segments of an earlier run in it are kept and shipped first */
  constructor(folder: string, maxBytes: number) {
    this.#folder = folder
    this.#maxBytes = maxBytes
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#bytes = this.#measure()
  }

  /** Nothing waits, as far as this process knows; {@link lookForOrphans} finds what others left since. */
  get isEmpty(): boolean {
    return this.#bytes === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Counts what a process that has ended meanwhile left behind. */
  lookForOrphans(): void {
    this.#bytes = this.#measure()
  }

  /**
   * Appends records and syncs them to disk.
   * @throws PosternError AUDIT_UNAVAILABLE when the spool is full or its disk fails; nothing of the records is kept then
   */
  append(records: readonly AuditRecord[]): Promise<void> {
    return this.#inTurn(() => this.#append(records))
  }

  /** Yields what is spooled, oldest first, at most `max` records at a time. Ask for the next batch only after this one was sent. */
  async *batches(max: number): AsyncGenerator<AuditRecord[]> {
    await this.#inTurn(() => this.#closeSegment())
    for (const name of this.#segments()) {
      const file = path.join(this.#folder, name)
      const content = await fs.promises.readFile(file, 'utf8')
      const records = content.split('\n').flatMap(parseLine)
      for (let at = 0; at < records.length; at += max) yield records.slice(at, at + max)
      await this.#inTurn(() => {
        fs.unlinkSync(file)
        this.#bytes = this.#measure()
      })
    }
    await this.#inTurn(() => this.lookForOrphans())
  }

  /**
   * Keeps a record that the store refuses at every attempt in the file `set-aside.jsonl` of the folder, synced to disk, so that
   * those behind it can be shipped. One that was interrupted may do it twice.
   * @throws PosternError AUDIT_UNAVAILABLE when that file has the size of a full spool, or its disk fails
   */
  setAside(record: AuditRecord): Promise<void> {
    return this.#inTurn(async () => {
      const line = Buffer.from(`${JSON.stringify(record)}\n`)
      const file = fs.openSync(path.join(this.#folder, setAsideName), 'a', 0o600)
      try {
        const { size } = fs.fstatSync(file)
        if (size + line.length > this.#maxBytes) throw new PosternError('AUDIT_UNAVAILABLE', `${setAsideName} is full`)
        writeWhole(file, line)
        await sync(file)
      } finally {
        fs.closeSync(file)
      }
    })
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#closeSegment())
  }

  async #append(records: readonly AuditRecord[]): Promise<void> {
    const lines = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''))
    if (this.#bytes + lines.length > this.#maxBytes) {
      throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written: the local spool is full')
    }
    try {
      const segment = this.#openSegment()
      writeWhole(segment.file, lines)
      await sync(segment.file)
      segment.length += lines.length
      this.#bytes += lines.length
    } catch (cause) {
      this.#takeBack()
      throw new PosternError('AUDIT_UNAVAILABLE', 'The audit record could not be written to the local spool', { cause })
    }
  }

  /** Cuts the open segment back to what was acknowledged, and ends it: nothing may stand behind a line that may be torn. */
  #takeBack(): void {
    try {
      if (this.#open) fs.ftruncateSync(this.#open.file, this.#open.length)
    } finally {
      this.#closeSegment()
      this.#bytes = this.#measure()
    }
  }

  #measure(): number {
    return this.#segments().reduce((sum, name) => sum + fs.statSync(path.join(this.#folder, name)).size, 0)
  }

  /** Our own, and those of processes that have ended. */
  #segments(): string[] {
    const names = fs.readdirSync(this.#folder).filter((name) => name.endsWith(extension))
    return names.filter((name) => name.includes(`-${this.#run}-`) || !isAlive(Number(name.split('-')[1]))).toSorted()
  }

  #openSegment(): { readonly file: number; length: number } {
    if (this.#open === undefined) {
      this.#segmentsMade += 1
      const order = [Date.now(), this.#segmentsMade].map((part) => String(part).padStart(15, '0'))
      const file = path.join(this.#folder, `${order[0]}-${this.#run}-${order[1]}${extension}`)
      this.#open = { file: fs.openSync(file, 'ax', 0o600), length: 0 }
      // The name of the file must survive a crash of the machine just as its content does.
      const folder = fs.openSync(this.#folder, 'r')
      fs.fsyncSync(folder)
      fs.closeSync(folder)
    }
    return this.#open
  }

  #closeSegment(): void {
    if (this.#open === undefined) return
    fs.closeSync(this.#open.file)
    this.#open = undefined
  }

  #inTurn<T>(action: () => T | Promise<T>): Promise<T> {
    const result = this.#turn.then(action)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** A full disk takes a part and reports no error before the next write. */
function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += fs.writeSync(file, bytes, at)
}

function sync(file: number): Promise<void> {
  return new Promise((resolve, reject) => fs.fdatasync(file, (error) => (error ? reject(error) : resolve())))
}

/** A later process that got the same pid only delays: its segments are shipped when it has ended, too. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
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
