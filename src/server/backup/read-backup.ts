import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { PosternError } from '../../base/errors.ts'
import type { ImportedPart } from '../../store/import-tables.ts'
import { type BackupHeading, FORMAT_NAME, FORMAT_VERSION, type RowCounts } from './backup-format.ts'

/** A backup whose heading was read. */
export interface OpenBackup {
  readonly heading: BackupHeading
  /** The tables and their rows. Ends without an error only when the whole file was there, with the right hash and counts. */
  readonly parts: AsyncGenerator<ImportedPart, RowCounts>
}

const BATCH_ROWS = 500
const BATCH_BYTES = 1024 * 1024
const NEWLINE = 0x0a
const ARRAY = '['.charCodeAt(0)

/**
 * Opens a backup file and reads its heading.
 * @throws PosternError BACKUP_FILE_UNUSABLE
 */
export async function openBackup(file: string): Promise<OpenBackup> {
  const hash = createHash('sha256')
  const lines = readLines(file)
  const first = await lines.next()
  if (first.done) throw damaged(file, 'it is empty')
  const heading = parseHeading(file, first.value)
  hash.update(first.value).update('\n')
  return { heading, parts: readParts(file, lines, hash) }
}

/**
 * Reads a backup file to its end.
 * @throws PosternError BACKUP_FILE_UNUSABLE when anything is missing or was changed
 */
export async function verifyBackup(file: string): Promise<{ heading: BackupHeading; counts: RowCounts }> {
  const { heading, parts } = await openBackup(file)
  for (;;) {
    const { done, value } = await parts.next()
    if (done) return { heading, counts: value }
  }
}

async function* readParts(
  file: string,
  lines: AsyncGenerator<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<ImportedPart, RowCounts> {
  const counts: Record<string, number> = {}
  let table: string | undefined
  let rows: string[] = []
  let bytes = 0
  for await (const line of lines) {
    const isRow = line[0] !== ARRAY
    if (isRow) {
      if (table === undefined) throw damaged(file, 'it has a row before any table')
      counts[table]! += 1
      bytes += line.length
      rows.push(line.toString('utf8'))
    }
    if (rows.length > 0 && (!isRow || rows.length === BATCH_ROWS || bytes > BATCH_BYTES)) {
      yield { kind: 'rows', rows }
      rows = []
      bytes = 0
    }
    if (!isRow) {
      const [kind, first, second] = parseLine(file, line)
      if (kind === 'end') {
        checkEnd(file, counts, hash.digest('hex'), first as RowCounts, second as string)
        if (!(await lines.next()).done) throw damaged(file, 'something follows its end')
        return counts
      }
      table = first as string
      counts[table] = 0
      yield { kind: 'table', table: { name: table, columns: second as string[] } }
    }
    hash.update(line).update('\n')
  }
  throw damaged(file, 'its end is missing')
}

function checkEnd(file: string, counts: RowCounts, digest: string, saidCounts: RowCounts, saidDigest: string): void {
  if (digest !== saidDigest)
    throw damaged(file, 'its content does not have the SHA-256 that it had when it was written')
  if (JSON.stringify(counts) !== JSON.stringify(saidCounts)) throw damaged(file, 'it does not have as many rows as it says') // prettier-ignore
}

function parseHeading(file: string, line: Buffer): BackupHeading {
  const [name, version, heading] = parseLine(file, line)
  if (name !== FORMAT_NAME) throw damaged(file, 'it is no backup of Postern')
  if (version !== FORMAT_VERSION) {
    throw new PosternError('BACKUP_FILE_UNUSABLE', `${file} has the form ${String(version)}, which this Postern cannot read.`, { hint: 'Restore it with the version that wrote it, or a newer one.' }) // prettier-ignore
  }
  return heading as BackupHeading
}

function parseLine(file: string, line: Buffer): readonly unknown[] {
  try {
    const parsed: unknown = JSON.parse(line.toString('utf8'))
    if (Array.isArray(parsed)) return parsed
  } catch {
    // Told below: whatever it is, it is not a line of ours.
  }
  throw damaged(file, 'it is no backup of Postern, or it is damaged')
}

/** Lines without their ends. Other characters that end a line elsewhere, such as U+2028, may stand within one. */
async function* readLines(file: string): AsyncGenerator<Buffer> {
  const input = createReadStream(file)
  const text = createGunzip()
  input.on('error', (error) => text.destroy(error))
  input.pipe(text)
  const begun: Buffer[] = []
  try {
    for await (const chunk of text as AsyncIterable<Buffer>) {
      let start = 0
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        begun.push(chunk.subarray(start, end))
        yield Buffer.concat(begun.splice(0))
        start = end + 1
      }
      begun.push(chunk.subarray(start))
    }
  } catch (cause) {
    const { code = 'error', syscall } = cause as NodeJS.ErrnoException
    if (syscall === undefined) throw damaged(file, 'it is cut off, or no backup of Postern', cause)
    throw new PosternError('BACKUP_FILE_UNUSABLE', `${file} cannot be read (${code}).`, { cause })
  } finally {
    input.destroy()
    text.destroy()
  }
  if (begun.some((piece) => piece.length > 0)) throw damaged(file, 'its last line is cut off')
}

function damaged(file: string, what: string, cause?: unknown): PosternError {
  return new PosternError('BACKUP_FILE_UNUSABLE', `${file} cannot be restored: ${what}.`, {
    hint: 'Nothing was written. Use another backup.',
    cause,
  })
}
