import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readTlsFile } from './tls-files.ts'

describe('TLS material in files', () => {
  let home: string
  let allowed: string
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'tls-files-'))
    allowed = join(home, 'allowed')
    mkdirSync(join(allowed, 'deep'), { recursive: true })
    mkdirSync(join(home, 'allowed-not'))
    writeFileSync(join(allowed, 'deep', 'ca.pem'), 'inside')
    writeFileSync(join(allowed, 'large.pem'), Buffer.alloc(1024 * 1024 + 1))
    writeFileSync(join(home, 'secret'), 'outside')
    writeFileSync(join(home, 'allowed-not', 'ca.pem'), 'beside')
    symlinkSync(join(home, 'secret'), join(allowed, 'link.pem'))
    symlinkSync(join(allowed, 'deep'), join(allowed, 'other'))
    execFileSync('mkfifo', [join(allowed, 'pipe')])
  })
  afterAll(() => rmSync(home, { recursive: true }))

  it('are read from below a folder that the operator allows', async () => {
    expect(await readTlsFile('ca', join(allowed, 'deep', 'ca.pem'), ['/nowhere', allowed])).toBe('inside')
    expect(await readTlsFile('ca', join(allowed, 'other', 'ca.pem'), [allowed])).toBe('inside')
    expect(await readTlsFile('ca', undefined, [allowed])).toBeUndefined()
  })

  it('are read by the links that the operator made of the folders themselves', async () => {
    symlinkSync(allowed, join(home, 'by-link'))
    expect(await readTlsFile('ca', join(home, 'by-link', 'deep', 'ca.pem'), [join(home, 'by-link')])).toBe('inside')
  })

  it('are never read from outside, though a folder on the way becomes a link at the worst time', async () => {
    const [swapped, aside, link] = ['swapped', 'aside', 'link'].map((name) => join(allowed, name)) as [
      string,
      string,
      string,
    ]
    mkdirSync(swapped)
    mkdirSync(join(home, 'evil'))
    writeFileSync(join(swapped, 'ca.pem'), 'inside')
    writeFileSync(join(home, 'evil', 'ca.pem'), 'outside')
    symlinkSync(join(home, 'evil'), link)
    const swaps = { areOver: false }
    const swap = async (): Promise<void> => {
      for (let round = 0; !swaps.areOver; round += 1) {
        renameSync(swapped, round % 2 === 0 ? aside : link)
        renameSync(round % 2 === 0 ? link : aside, swapped)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const swapping = swap()
    const read = new Set<string>()
    for (let attempt = 0; attempt < 1500; attempt += 1) {
      read.add((await readTlsFile('ca', join(swapped, 'ca.pem'), [allowed]).catch(() => 'refused')) ?? '')
    }
    swaps.areOver = true
    await swapping
    expect(read.has('outside')).toBe(false)
  })

  it.each([
    ['outside of them', () => join(home, 'secret')],
    ['outside of them, by dots', () => join(allowed, 'x').replace('/x', '/../secret')],
    ['outside of them, by a link', () => join(allowed, 'link.pem')],
    ['in a folder of a similar name', () => join(home, 'allowed-not', 'ca.pem')],
    ['that are devices', () => '/dev/zero'],
  ])('are refused %s, and of these nothing is told', async (_, path) => {
    const attempt = readTlsFile('key', path(), [allowed])
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field: 'tlsFiles.key' } })
    await expect(attempt).rejects.toThrow(/tlsFiles\.key must lie in a folder .* \(tlsFileDirs\)/)
  })

  it.each([
    ['relative.pem', /absolute/],
    ['MISSING', /cannot be read/],
    ['LARGE', /larger than 1 MiB/],
    ['PIPE', /not a regular file/],
    ['FOLDER', /not a regular file/],
  ])('are refused with the reason: %s', async (name, reason) => {
    const path = { MISSING: 'no.pem', LARGE: 'large.pem', PIPE: 'pipe', FOLDER: 'deep' }[name]
    const attempt = readTlsFile('ca', path === undefined ? name : join(allowed, path), [allowed])
    await expect(attempt).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(reason) })
  })

  it('are refused where the operator allows no folder', async () => {
    await expect(readTlsFile('ca', join(allowed, 'deep', 'ca.pem'), [])).rejects.toThrow(/tlsFileDirs/)
  })
})
