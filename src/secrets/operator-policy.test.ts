import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CLOSED_POLICY, readOperatorSource } from './operator-policy.ts'

describe('a file that a secret reference names', () => {
  let home: string
  let allowed: string
  const read = (path: string) =>
    readOperatorSource({ from: 'file', path }, { ...CLOSED_POLICY, fileFolders: [allowed] }).then((secret) =>
      secret.reveal(),
    )
  beforeAll(() => {
    home = realpathSync(mkdtempSync(join(tmpdir(), 'operator-policy-')))
    allowed = join(home, 'allowed')
    mkdirSync(join(allowed, 'deep'), { recursive: true })
    mkdirSync(join(home, 'evil'))
    writeFileSync(join(allowed, 'deep', 'token'), 'inside\n')
    writeFileSync(join(home, 'evil', 'token'), 'outside')
    execFileSync('mkfifo', [join(allowed, 'pipe')])
  })
  afterAll(() => rmSync(home, { recursive: true }))

  it('is read from a folder that the operator allows, without its last line end', async () => {
    expect(await read(join(allowed, 'deep', 'token'))).toBe('inside')
  })

  it.each(['evil/token', 'nothing'])('says nothing of whether %s is there, outside of them', async (name) => {
    await expect(read(`${allowed}/../${name}`)).rejects.toMatchObject({ code: 'SECRET_SOURCE_REFUSED' })
  })

  it('is no pipe, which would be waited for', async () => {
    await expect(read(join(allowed, 'pipe'))).rejects.toMatchObject({ code: 'SECRET_SOURCE_INVALID' })
  })

  it('is never read from outside, though a folder on the way becomes a link at the worst time', async () => {
    const [swapped, aside, link] = [join(allowed, 'swapped'), join(allowed, 'aside'), join(allowed, 'link')]
    mkdirSync(swapped)
    writeFileSync(join(swapped, 'token'), 'inside')
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
    const found = new Set<string>()
    for (let attempt = 0; attempt < 1000; attempt += 1) {
      found.add(await read(join(swapped, 'token')).catch(() => 'refused'))
    }
    swaps.areOver = true
    await swapping
    expect(found.has('outside')).toBe(false)
  })
})
