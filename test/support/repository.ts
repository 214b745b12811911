import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

/** Folder of the repository. */
export const repositoryRoot = join(import.meta.dirname, '../..')

/** What a checkout holds beside its own files (.gitignore). */
const notOurs = new Set(['.git', 'node_modules', 'postern-data', 'coverage', 'dist'])

/** Paths of the repository's files below `folder`, from its root. Read from disk, so that a file not yet added counts too. */
export function repositoryFiles(folder = '.'): string[] {
  return readdirSync(join(repositoryRoot, folder), { withFileTypes: true })
    .filter((entry) => !notOurs.has(entry.name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? repositoryFiles(path) : [relative('.', path)]
    })
    .toSorted()
}

/** Text of a file of the repository. */
export function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8')
}
