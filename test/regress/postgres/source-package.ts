import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'

/** What Postgres' own suites need beyond the installed packages. */
export interface PostgresTests {
  /** Debian's version of the installed server, `15.9-0+deb12u1`. */
  readonly packageVersion: string
  /** sha256 of the source archive; apt has checked it against the signed lists. */
  readonly sourceSha256: string
  /** `src/test/regress` of the source. */
  readonly regress: string
  /** `src/test/isolation` of the source. */
  readonly isolation: string
  /** `regress.so`: the C functions of the regression suite. */
  readonly library: string
}

/**
 * The tests of exactly the installed server: its source package and its headers, asked of where apt is configured to ask, by
 * apt, so that Debian's chain of signatures is checked. apt's own lists and settings stay as they are, root is not needed,
 * and the result is kept in the user's cache folder.
 *
 * @param serverPackage such as `postgresql-15`
 */
export function obtainPostgresTests(serverPackage: string): PostgresTests {
  const [packageVersion, architecture] = installedVersion(serverPackage)
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'postern')
  const kept = join(cache, `${serverPackage}-tests-${packageVersion}-${architecture}`)
  if (!existsSync(kept)) {
    mkdirSync(cache, { recursive: true })
    const draft = mkdtempSync(join(cache, 'draft-'))
    try {
      fetchPackages(draft, serverPackage, packageVersion)
      unpackAndBuild(draft, serverPackage)
      renameSync(draft, kept)
    } finally {
      rmSync(draft, { recursive: true, force: true })
    }
  }
  return {
    packageVersion,
    sourceSha256: readFileSync(join(kept, 'source.sha256'), 'utf8').trim(),
    regress: join(kept, 'source/src/test/regress'),
    isolation: join(kept, 'source/src/test/isolation'),
    library: join(kept, 'regress.so'),
  }
}

function installedVersion(serverPackage: string): [version: string, architecture: string] {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Version} ${Architecture}', serverPackage], {
    encoding: 'utf8',
  })
  const [version, architecture] = stdout?.split(' ') ?? []
  if (status === 0 && version && architecture) return [version, architecture]
  throw new Error(`Debian's package ${serverPackage} is not installed: the suites run against that server`)
}

/** Brings the source archive and the package with the headers into `draft`. */
function fetchPackages(draft: string, serverPackage: string, version: string): void {
  const sources = join(draft, 'sources')
  for (const folder of ['sources', 'lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(draft, folder), { recursive: true })
  }
  for (const file of globSync('/etc/apt/{sources.list,sources.list.d/*.{list,sources}}')) {
    writeFileSync(join(sources, basename(file) === 'sources.list' ? 'main.list' : basename(file)), alsoSources(file))
  }
  const settings = {
    'Dir::Etc::sourcelist': '/dev/null',
    'Dir::Etc::sourceparts': sources,
    'Dir::State::lists': join(draft, 'lists'),
    'Dir::Cache': join(draft, 'cache'),
    // Its own user could not write here.
    'APT::Sandbox::User': '',
  }
  const options = ['-q', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])]
  const apt = (...args: string[]) =>
    void execFileSync('apt-get', [...options, ...args], { cwd: draft, stdio: ['ignore', 'ignore', 'inherit'] })
  apt('update')
  apt('source', '--download-only', `${serverPackage}=${version}`)
  apt('download', `${serverPackage.replace('-', '-server-dev-')}=${version}`)
}

/** A configured source of apt that also offers source packages. */
function alsoSources(file: string): string {
  const text = readFileSync(file, 'utf8')
  if (file.endsWith('.sources')) return text.replaceAll(/^Types:.*$/gim, 'Types: deb deb-src')
  return text.replaceAll(/^deb\s.*$/gm, (line) => `${line}\n${line.replace(/^deb/, 'deb-src')}`)
}

function unpackAndBuild(draft: string, serverPackage: string): void {
  const only = (pattern: string): string => {
    const [found] = globSync(join(draft, pattern))
    if (found === undefined) throw new Error(`apt brought no ${pattern}`)
    return found
  }
  const archive = only('*.orig.tar.*')
  writeFileSync(join(draft, 'source.sha256'), createHash('sha256').update(readFileSync(archive)).digest('hex'))
  mkdirSync(join(draft, 'source'))
  const run = (command: string, ...args: string[]) => void execFileSync(command, args, { stdio: 'inherit' })
  const wanted = ['*/src/test/regress/*', '*/src/test/isolation/*']
  run('tar', '-C', join(draft, 'source'), '--strip-components=1', '-xf', archive, '--wildcards', ...wanted)
  run('dpkg-deb', '-x', only('*.deb'), join(draft, 'headers'))
  const headers = join(draft, 'headers/usr/include/postgresql', serverPackage.replace(/^\D+/, ''), 'server')
  const library = join(draft, 'regress.so')
  run('cc', '-O2', '-fPIC', '-shared', '-I', headers, join(draft, 'source/src/test/regress/regress.c'), '-o', library)
  for (const folder of ['sources', 'lists', 'cache', 'headers']) rmSync(join(draft, folder), { recursive: true })
  for (const file of globSync(join(draft, '*.{deb,dsc,xz,bz2,gz}'))) rmSync(file)
}
