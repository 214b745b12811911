import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const configFile = join(root, '.dependency-cruiser.cjs')
const config = createRequire(import.meta.url)(configFile) as { forbidden: { name: string }[] }

/** For each rule an import that breaks it: the file, and what it imports. */
const violations: Readonly<Record<string, readonly [file: string, imports: string]>> = {
  'layer-0-never-imports-upward': ['src/telemetry/planted.ts', '../store/target.ts'],
  'layer-1-never-imports-upward': ['src/store/planted.ts', '../access/target.ts'],
  'layer-2-never-imports-upward': ['src/access/planted.ts', '../http/target.ts'],
  'layer-3-never-imports-upward': ['src/gateway/planted.ts', '../server/target.ts'],
  'base-imports-only-itself': ['src/base/planted.ts', '../pgwire/target.ts'],
  'pgwire-imports-only-itself': ['src/pgwire/planted.ts', '../base/target.ts'],
  'contract-imports-only-itself': ['src/contract/planted.ts', '../base/target.ts'],
  'transport-imports-only-base': ['src/transport/planted.ts', '../crypto/target.ts'],
  'crypto-imports-only-base': ['src/crypto/planted.ts', '../config/target.ts'],
  'config-imports-only-base': ['src/config/planted.ts', '../crypto/target.ts'],
  'cli-imports-only-base-pgwire-contract-config': ['src/cli/planted.ts', '../access/target.ts'],
  'audit-never-imports-later-domains': ['src/audit/planted.ts', '../keys/target.ts'],
  'keys-never-imports-later-domains': ['src/keys/planted.ts', '../identity/target.ts'],
  'identity-never-imports-later-domains': ['src/identity/planted.ts', '../access/target.ts'],
  'access-never-imports-later-domains': ['src/access/planted-later.ts', '../oauth/target.ts'],
  'only-known-folders': ['src/helpers/planted.ts', '../base/target.ts'],
  'only-the-dialer-opens-sockets': ['src/instances/planted.ts', 'node:net'],
  'only-transport-imports-bun': ['src/http/planted-bun.ts', 'bun'],
  'pgwire-does-no-io': ['src/pgwire/planted-io.ts', 'node:fs'],
  'ways-in-do-not-know-each-other': ['src/http/planted.ts', '../gateway/target.ts'],
  'ways-in-never-touch-the-store': ['src/jobs/planted.ts', '../store/target.ts'],
  'engines-do-not-know-each-other': ['src/engines/postgres/planted.ts', '../mysql/target.ts'],
  'only-the-registry-loads-an-engine': ['src/sql/planted.ts', '../engines/postgres/target.ts'],
  'web-sees-only-the-contract': ['web/src/planted.ts', '../../src/base/target.ts'],
  'no-cycles': ['src/catalog/planted.ts', './planted-there-and-back.ts'],
  'no-import-of-tests': ['src/oauth/planted.ts', '../../test/support/target.ts'],
  'no-import-of-tools': ['src/server/planted.ts', '../../tools/target.ts'],
  'no-undeclared-packages': ['src/server/planted-package.ts', 'left-pad'],
  'no-development-packages-at-run-time': ['src/server/planted-development.ts', 'fast-check'],
}

/** Imports that look alike and are allowed. */
const allowed: readonly (readonly [file: string, imports: string])[] = [
  ['src/dialer/fine.ts', 'node:net'],
  ['src/transport/bun/fine.ts', 'bun'],
  ['src/engines/registry.ts', './postgres/target.ts'],
  ['src/cli/fine.ts', '../contract/target.ts'],
  ['src/oauth/fine.ts', '../identity/target.ts'],
  ['src/http/fine.ts', '../access/target.ts'],
  ['src/base/fine.test.ts', '../../test/support/target.ts'],
  ['src/base/property.test.ts', 'fast-check'],
  ['web/src/fine.ts', '../../src/contract/target.ts'],
]

/** The part of dependency-cruiser's report that is read here. */
interface Report {
  readonly modules: readonly {
    readonly source: string
    readonly dependencies: readonly { readonly rules?: readonly { readonly name: string }[] }[]
  }[]
}

describe('the import rules', () => {
  let report: Report
  const tree = mkdtempSync(join(tmpdir(), 'imports-'))

  beforeAll(async () => {
    for (const file of ['tsconfig.json', 'package.json']) cpSync(join(root, file), join(tree, file))
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
    for (const [file, imported] of [...Object.values(violations), ...allowed]) {
      plant(file, `import '${imported}'\n`)
      if (imported.endsWith('.ts')) plant(join(dirname(file), imported), 'export {}\n')
    }
    plant('src/catalog/planted-there-and-back.ts', "import './planted.ts'\n")
    report = await cruise(tree)
  })
  afterAll(() => rmSync(tree, { recursive: true, force: true }))

  function plant(file: string, text: string): void {
    mkdirSync(join(tree, dirname(file)), { recursive: true })
    writeFileSync(join(tree, file), text)
  }

  function brokenRules(file: string): string[] {
    const module = report.modules.find(({ source }) => source === file)
    if (module === undefined) throw new Error(`${file} was not looked at`)
    return module.dependencies.flatMap(({ rules = [] }) => rules.map((rule) => rule.name))
  }

  it('each have a planted violation here', () => {
    expect(Object.keys(violations).toSorted()).toEqual(config.forbidden.map((rule) => rule.name).toSorted())
  })

  it.each(Object.entries(violations))('catch a violation of %s', (rule, [file]) => {
    expect(brokenRules(file)).toContain(rule)
  })

  it.each(allowed)('let %s import %s', (file) => {
    expect(brokenRules(file)).toEqual([])
  })
})

function cruise(folder: string): Promise<Report> {
  const command = join(root, 'node_modules/.bin/depcruise')
  const args = ['--config', configFile, '--output-type', 'json', 'src', 'test', 'tools', 'web']
  return new Promise((resolve, reject) => {
    // Its exit code is the number of violations, so that only its output tells whether it ran.
    execFile(command, args, { cwd: folder, maxBuffer: 32 * 1024 * 1024 }, (error, stdout, stderr) => {
      try {
        resolve(JSON.parse(stdout) as Report)
      } catch {
        reject(error ?? new Error(stderr))
      }
    })
  })
}
