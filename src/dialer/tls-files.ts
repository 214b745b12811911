import { constants } from 'node:fs'
import { open, readlink, realpath } from 'node:fs/promises'
import { isAbsolute, normalize, sep } from 'node:path'
import { PosternError } from '../base/errors.ts'
import type { TlsFiles } from './data-source-route.ts'

const MAX_BYTES = 1024 * 1024

/**
 * Reads TLS material from a file of this machine: only from folders that the operator allows, wherever links lead.
 * @returns undefined where the route names no file
 * @throws PosternError INVALID_ARGUMENT naming the field; about a file outside the folders it tells nothing
 */
export async function readTlsFile(
  part: keyof TlsFiles,
  path: string | undefined,
  folders: readonly string[],
): Promise<string | undefined> {
  if (path === undefined) return undefined
  const field = `tlsFiles.${part}`
  checkTlsPath(field, path, folders)
  const real = await realpath(path).catch((cause: unknown) => {
    throw invalid(field, 'cannot be read', cause)
  })
  const realFolders = await Promise.all(folders.map((folder) => realpath(folder).catch(() => undefined)))
  const isInside = (file: string) => realFolders.some((folder) => folder !== undefined && lies(file, folder))
  if (!isInside(real)) throw outside(field)
  return readRegularFile(field, real, isInside)
}

/** What can be said of a path without touching the file system. */
function checkTlsPath(field: string, path: string, folders: readonly string[]): void {
  if (!isAbsolute(path) || path.includes('\0')) throw invalid(field, 'must be an absolute path')
  if (!folders.some((folder) => lies(normalize(path), normalize(folder)))) throw outside(field)
}

async function readRegularFile(field: string, path: string, isInside: (file: string) => boolean): Promise<string> {
  // Not to wait for the writer of a pipe, and not to follow a link that was put there meanwhile.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW
  const file = await open(path, flags).catch((cause: unknown) => {
    throw invalid(field, 'cannot be read', cause)
  })
  try {
    const stats = await file.stat()
    // A folder on the way may have been made a link since it was looked at. Where the system does not tell what is open, the
    // way is looked at once more.
    const opened = await readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(path).catch(() => ''))
    if (!isInside(opened)) throw outside(field)
    if (!stats.isFile()) throw invalid(field, 'is not a regular file')
    if (stats.size > MAX_BYTES) throw invalid(field, 'is larger than 1 MiB')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(stats.size), 0, stats.size, 0)
    return buffer.subarray(0, bytesRead).toString('utf8')
  } finally {
    await file.close()
  }
}

function lies(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

function outside(field: string): PosternError {
  return invalid(field, 'must lie in a folder that the operator allows for TLS files (tlsFileDirs)')
}

function invalid(field: string, reason: string, cause?: unknown): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field }, cause })
}
