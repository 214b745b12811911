import { type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { OsUser } from './os-user.ts'

/** A folder on the way that the user may not pass, and its permission bits. */
export interface Barrier {
  readonly folder: string
  readonly mode: string
}

/**
 * The outermost folder above (or at) `path` that `user` may not traverse; undefined when the way is free.
 * Reads permission bits only: access lists that give more are not seen, which errs on the safe side.
 */
export function findBarrier(path: string, user: OsUser): Barrier | undefined {
  const folders: string[] = []
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    folders.unshift(folder)
    if (folder === dirname(folder)) break
  }
  for (const folder of folders) {
    const stats = statSync(folder)
    if (!mayExecute(stats, user)) return { folder, mode: (stats.mode & 0o7777).toString(8).padStart(4, '0') }
  }
  return undefined
}

function mayExecute(stats: Stats, user: OsUser): boolean {
  if (stats.uid === user.uid) return (stats.mode & 0o100) !== 0
  if (stats.gid === user.gid) return (stats.mode & 0o010) !== 0
  return (stats.mode & 0o001) !== 0
}
