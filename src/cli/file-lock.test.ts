import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withFileLock } from './file-lock.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rm(folder, { recursive: true }))

describe('a lock between processes', () => {
  test('lets one in at a time, and leaves nothing behind', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, (inside += 1))
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all(Array.from({ length: 6 }, () => withFileLock(file, work)))
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  test('is free again after work that failed', async () => {
    await expect(withFileLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withFileLock(file, () => Promise.resolve('in'))).toBe('in')
  })

  test('that a process left behind is taken over, by one of those who wait', async () => {
    await writeFile(file, '')
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(file, longAgo, longAgo)
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, (inside += 1))
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all([withFileLock(file, work), withFileLock(file, work), withFileLock(file, work)])
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })
})
