// Makes a fresh clone ready: `npm run demo` and `npm test` begin here. It exists so that git, Node and npm are all that a
// newcomer needs. Plain Node without dependencies, because nothing is installed yet when it runs. Doing nothing takes 50 ms.
//
//   node tools/setup.mjs           dependencies of package-lock.json, and a Bun that runs
//   node tools/setup.mjs --tests   also what the test suites call: psql, pgbench, openssl, Chromium, and Java and Python with their drivers
//   node tools/setup.mjs --bench   also what the bench calls: psql, pgbench, openssl, and the peers PgBouncer and stunnel
//
// Where it may not install Debian packages, the suites that need them are skipped and say so; with CI=true or
// POSTERN_REQUIRE_ALL=1 that is a failure. POSTERN_INSTALL_PACKAGES=no forbids the installation.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bun = join(root, 'node_modules/.bin/bun')
const oldestNodeMajor = 20

/** Programs that the test suites call, the Debian package that brings each, and how to ask whether it works. */
const systemTools = {
  psql: { debianPackage: 'postgresql-client', probe: ['psql', '--version'] },
  pgbench: { debianPackage: 'postgresql', probe: ['pgbench', '--version'] },
  isolationtester: {
    debianPackage: 'postgresql-client',
    probe: ['sh', '-c', 'ls /usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester'],
  },
  mariadbd: { debianPackage: 'mariadb-server', probe: ['/usr/sbin/mariadbd', '--version'] },
  sshd: { debianPackage: 'openssh-server', probe: ['test', '-x', '/usr/sbin/sshd'] },
  'clickhouse-server': { debianPackage: 'clickhouse-server', probe: ['test', '-x', '/usr/sbin/clickhouse-server'] },
  openssl: { debianPackage: 'openssl', probe: ['openssl', 'version'] },
  chromium: { debianPackage: 'chromium', probe: ['chromium', '--version'] },
  javac: { debianPackage: 'default-jdk-headless', probe: ['javac', '--version'] },
  jdbc: { debianPackage: 'libpostgresql-jdbc-java', probe: ['test', '-f', '/usr/share/java/postgresql.jar'] },
  'systemd-analyze': { debianPackage: 'systemd', probe: ['systemd-analyze', '--version'] },
  psycopg: { debianPackage: 'python3-psycopg', probe: ['/usr/bin/python3', '-c', 'import psycopg'] },
}

/** Programs that the bench calls. Nothing else needs the peers, so that nobody else gets them installed. */
const benchTools = {
  psql: systemTools.psql,
  pgbench: systemTools.pgbench,
  openssl: systemTools.openssl,
  pgbouncer: { debianPackage: 'pgbouncer', probe: ['/usr/sbin/pgbouncer', '--version'] },
  stunnel: { debianPackage: 'stunnel4', probe: ['/usr/bin/stunnel4', '-version'] },
}

checkNode()
installDependencies()
if (process.argv.includes('--tests')) installTools(systemTools)
if (process.argv.includes('--bench')) {
  const missing = installTools(benchTools)
  if (missing.length > 0) fail('The bench measures nothing without them.')
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= oldestNodeMajor) return
  fail(
    `Node ${process.versions.node} is too old to install Postern.`,
    `Install Node ${oldestNodeMajor} or newer (https://nodejs.org) and run the command again.`,
  )
}

function installDependencies() {
  if (dependenciesMatchLockFile() && bunRuns()) return
  say('installing dependencies (npm ci)')
  if (!run('npm', ['ci', '--loglevel=error'], root)) {
    fail(
      '`npm ci` did not succeed; its own message stands above.',
      'Usual causes: the npm registry cannot be reached (look at `npm config get registry` and `npm ping`), the disk is full,',
      'or package.json was changed without package-lock.json (run `npm install` and commit both). Then run the command again.',
    )
  }
  if (bunRuns()) return
  // npm skips install scripts where `ignore-scripts` is set: run the one that nothing works without.
  say('running the install script of bun')
  run(process.execPath, ['install.js'], join(root, 'node_modules/bun'))
  if (bunRuns()) return
  fail(
    `The Bun that package-lock.json pins does not run on this machine (${process.platform} ${process.arch}).`,
    `Try \`${bun} --version\`. Bun has builds for Linux and macOS on x64 (with AVX2) and arm64;`,
    'where node_modules was copied from another machine, delete it and run the command again.',
  )
}

/** npm writes node_modules/.package-lock.json last, so an install that was cut short counts as none. */
function dependenciesMatchLockFile() {
  const installedFile = join(root, 'node_modules/.package-lock.json')
  if (!existsSync(installedFile)) return false
  const wanted = readPackages(join(root, 'package-lock.json'))
  const installed = readPackages(installedFile)
  return Object.keys(wanted).every((path) => {
    if (path === '') return true
    const have = installed[path]
    if (have === undefined) return wanted[path].optional === true
    return have.version === wanted[path].version && have.integrity === wanted[path].integrity
  })
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {}
  } catch (error) {
    return fail(
      `${file} is not readable JSON: ${error.message}`,
      'Restore it (`git checkout package-lock.json`) or delete node_modules.',
    )
  }
}

function bunRuns() {
  const wanted = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies.bun
  const result = spawnSync(bun, ['--version'], { encoding: 'utf8' })
  return result.status === 0 && result.stdout.trim() === wanted
}

/** Gives the names of the programs that are missing in the end. */
function installTools(tools) {
  const missing = missingOf(tools)
  if (missing.length === 0) return []
  const obstacle = whyPackagesCannotBeInstalled()
  if (obstacle === undefined) installPackages([...new Set(missing.map((tool) => tools[tool].debianPackage))])
  const still = missingOf(tools)
  if (still.length === 0) return []
  const names = still.map((tool) => `${tool} (Debian package ${tools[tool].debianPackage})`).join(', ')
  const reason = obstacle ?? 'Installing the packages did not bring them; the messages stand above.'
  if (process.env.CI === 'true' || process.env.POSTERN_REQUIRE_ALL === '1') {
    fail(`The test suites need ${names}.`, reason)
  }
  say(`not installed: ${names}. ${reason} The tests that need them are skipped and say so.`)
  return still
}

/** Debian's psql and pgbench are wrappers that may stand there without the program: only running one tells. */
function missingOf(tools) {
  return Object.keys(tools).filter((tool) => {
    const [command, ...args] = tools[tool].probe
    return !succeeds(command, args)
  })
}

function whyPackagesCannotBeInstalled() {
  if (process.env.POSTERN_INSTALL_PACKAGES === 'no') return 'POSTERN_INSTALL_PACKAGES=no forbids installing them.'
  if (!succeeds('apt-get', ['--version'])) return 'There is no apt-get here: use the package manager of this system.'
  if (process.getuid() !== 0 && !succeeds('sudo', ['-n', 'true']))
    return 'Installing them needs root, or sudo without a password.'
  return undefined
}

/**
 * pgbench comes with Debian's server package, whose install script would make a cluster and start it on port 5432. A
 * setting under createcluster.d keeps it from that, and is taken away again afterwards; RUNLEVEL=1 keeps any other package
 * from starting its service. The package lists are fetched only
 * when they turn out to be absent or old.
 */
function installPackages(packages) {
  say(`installing Debian packages: ${packages.join(' ')}`)
  const script = `
    folder=/etc/postgresql-common/createcluster.d
    setting=$folder/postern-tests.conf
    mkdir -p $folder && echo 'create_main_cluster = false' > $setting
    trap 'rm -f $setting; rmdir $folder 2>/dev/null' EXIT
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    install() { apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends ${packages.join(' ')} </dev/null >/dev/null; }
    install || { apt-get -qq update && install; }`
  const asRoot = process.getuid() === 0 ? [] : ['sudo', '-n']
  const [command, ...args] = [...asRoot, 'sh', '-c', script]
  run(command, args, root)
}

/** Runs a command with its output on ours. */
function run(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (result.error) say(`${command} could not be started: ${result.error.message}`)
  return result.status === 0
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function say(text) {
  console.error(`postern: ${text}`)
}

function fail(...lines) {
  for (const line of lines) say(line)
  process.exit(1)
}
