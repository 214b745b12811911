import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBinaries } from './binaries.ts'
import { currentUid, ensureOsUser } from './os-user.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-binaries-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** An installation without its library links, as `npm ci --ignore-scripts` leaves it. */
function installationWithoutLinks(): string {
  const installed = dirname(dirname(findBinaries(undefined).postgres))
  const native = join(folder, 'linux-x64', 'native')
  mkdirSync(dirname(native))
  execFileSync('cp', ['-r', installed, native])
  execFileSync('find', [native, '-type', 'l', '-delete'])
  return native
}

test('the library links that an install script makes are made when they are missing', () => {
  const { postgres } = findBinaries(undefined, { native: installationWithoutLinks(), version: 'test' })
  expect(String(execFileSync(postgres, ['--version']))).toContain('PostgreSQL')
})

test.runIf(currentUid() === 0)(
  'an installation in a private folder is copied once to where the user can run it and only root can write',
  async () => {
    const user = await ensureOsUser('postern-meta', () => undefined)
    const version = `test-${randomUUID()}`
    const native = installationWithoutLinks()
    const { postgres } = findBinaries(user, { native, version })
    const copy = dirname(dirname(dirname(postgres)))
    try {
      expect(copy).toBe(`/var/cache/postern/postgres-${version}-linux-x64`)
      const said = execFileSync(postgres, ['--version'], { uid: user.uid, gid: user.gid, cwd: '/' })
      expect(String(said)).toContain('PostgreSQL')
      expect(statSync(copy).uid).toBe(0)
      expect(statSync(postgres).mode & 0o022).toBe(0)
      rmSync(native, { recursive: true })
      cpSync('/bin/true', native)
      expect(findBinaries(user, { native, version }).postgres).toBe(postgres)
    } finally {
      rmSync(copy, { recursive: true, force: true })
    }
  },
)
