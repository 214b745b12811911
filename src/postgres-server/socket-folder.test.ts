import { chmodSync, lchownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { currentUid } from './os-user.ts'
import { claimSocketFolder, claimSocketRoot } from './socket-folder.ts'

const isRoot = currentUid() === 0
let base: string
let expected: string

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'postern-sockets-'))
  expected = claimSocketRoot('node', base)
  rmSync(expected, { recursive: true })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const refused = expect.objectContaining({ code: 'DATA_FOLDER_UNUSABLE' })

test('the folder is closed to others, the same for the same node, and short enough for a socket path', () => {
  const root = claimSocketRoot('node', base)
  expect(root).toBe(expected)
  expect(claimSocketRoot('node', base)).toBe(root)
  expect(claimSocketRoot('another node', base)).not.toBe(root)
  expect(statSync(root).mode & 0o777).toBe(isRoot ? 0o711 : 0o700)
  const folder = claimSocketFolder(root, 'meta')
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(join(claimSocketRoot('node'), 'i9999', '.s.PGSQL.5432').length).toBeLessThan(107)
})

describe('somebody who guesses the path and is there first', () => {
  test('with a symbolic link to a place of his own is refused', () => {
    const his = join(base, 'his')
    mkdirSync(his)
    mkdirSync(dirname(expected), { recursive: true })
    symlinkSync(his, expected)
    expect(() => claimSocketRoot('node', base)).toThrow(refused)
    expect(statSync(his).mode & 0o777).not.toBe(0o711)
  })

  test('with a file is refused', () => {
    mkdirSync(dirname(expected), { recursive: true })
    writeFileSync(expected, '')
    expect(() => claimSocketRoot('node', base)).toThrow(refused)
  })

  test('with a folder that he can write in is refused', () => {
    mkdirSync(expected, { recursive: true })
    chmodSync(expected, 0o777)
    expect(() => claimSocketRoot('node', base)).toThrow(refused)
  })

  test.runIf(isRoot)('with a folder that belongs to him is refused, whatever its mode', () => {
    mkdirSync(expected, { recursive: true })
    chmodSync(expected, 0o711)
    lchownSync(expected, 65_534, 65_534)
    expect(() => claimSocketRoot('node', base)).toThrow(refused)
  })

  test('cannot put a link in the place of one socket folder either', () => {
    const root = claimSocketRoot('node', base)
    symlinkSync(base, join(root, 'meta'))
    const owner = isRoot ? { name: 'nobody', uid: 65_534, gid: 65_534 } : undefined
    expect(() => claimSocketFolder(root, 'meta', owner)).toThrow(refused)
    expect(basename(base)).toContain('postern-sockets-')
    expect(statSync(base).uid).toBe(currentUid())
  })
})
