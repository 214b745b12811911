import { createHash } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { PosternError } from '../../base/errors.ts'
import { exportTables } from '../../store/export-tables.ts'
import type { Store } from '../../store/store.ts'
import { type BackupHeading, FORMAT_NAME, FORMAT_VERSION, type RowCounts } from './backup-format.ts'

/** What was written. */
export interface WrittenBackup {
  readonly counts: RowCounts
  readonly bytes: number
}

/**
 * Writes a backup of the store, as it is at one instant, to a new file (0600). The file appears under its name when it is
 * complete and on the disk; a backup that fails or is interrupted leaves none.
 * @throws PosternError BACKUP_FILE_UNUSABLE | STORE_UNAVAILABLE | CONFIG_INVALID (nothing to back up; a newer schema)
 */
export async function writeBackup(
  store: Store,
  file: string,
  about: { readonly postern: string; readonly createdAt: Date },
  signal: AbortSignal,
): Promise<WrittenBackup> {
  if (existsSync(file)) throw unusable(file, 'exists already', 'A backup never overwrites a file: choose another name.')
  const draft = `${file}.${process.pid}.partial`
  const counts: Record<string, number> = {}
  try {
    const output = await open(draft, 'wx', 0o600)
    try {
      const toFile = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
        for await (const chunk of chunks) await output.appendFile(chunk)
      }
      await pipeline(lines(store, about, counts), createGzip(), toFile, { signal })
      await output.sync()
    } finally {
      await output.close()
    }
    renameSync(draft, file)
    syncFolder(dirname(file))
    return { counts, bytes: statSync(file).size }
  } catch (thrown) {
    rmSync(draft, { force: true })
    throw fileError(thrown, file)
  }
}

/** The lines of the file in large pieces. @param counts filled while they are read */
async function* lines(
  store: Store,
  { postern, createdAt }: { readonly postern: string; readonly createdAt: Date },
  counts: Record<string, number>,
): AsyncGenerator<string> {
  const hash = createHash('sha256')
  const hashed = (...some: string[]): string => {
    const text = `${some.join('\n')}\n`
    hash.update(text)
    return text
  }
  let table: string | undefined
  let isEmpty = true
  for await (const part of exportTables(store)) {
    isEmpty = false
    if (part.kind === 'store') {
      const { migrations } = part
      const keyCheck = part.keyCheck.toString('base64')
      const heading: BackupHeading = { postern, createdAt: createdAt.toISOString(), migrations, keyCheck }
      yield hashed(JSON.stringify([FORMAT_NAME, FORMAT_VERSION, heading]))
    } else if (part.kind === 'table') {
      table = part.table.name
      counts[table] = 0
      yield hashed(JSON.stringify(['table', table, part.table.columns]))
    } else {
      counts[table!]! += part.rows.length
      yield hashed(...part.rows)
    }
  }
  if (isEmpty) {
    throw new PosternError('CONFIG_INVALID', 'The metadata store is empty: no Postern has started on it, so there is nothing to back up.') // prettier-ignore
  }
  yield `${JSON.stringify(['end', counts, hash.digest('hex')])}\n`
}

/** Without this, a power cut could take the name of a file whose bytes are safe. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Failures of the file in our words, by errno; others as they are. */
function fileError(thrown: unknown, file: string): unknown {
  const { code, syscall } = thrown as NodeJS.ErrnoException
  if (thrown instanceof PosternError || syscall === undefined) return thrown
  return unusable(file, `cannot be written (${code ?? syscall})`, undefined, thrown)
}

function unusable(file: string, what: string, hint?: string, cause?: unknown): PosternError {
  return new PosternError('BACKUP_FILE_UNUSABLE', `${file} ${what}.`, { hint, cause })
}
