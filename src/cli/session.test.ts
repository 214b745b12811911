import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../base/secret.ts'
import { deleteSession, readSession, sessionFile, writeSession } from './session.ts'

let environment: Record<string, string>
beforeEach(async () => {
  environment = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'postern-session-')) }
})
afterEach(() => rm(environment['XDG_CONFIG_HOME'] ?? '', { recursive: true }))

const origin = 'https://postern.example.test'
const session = {
  origin,
  email: 'ann@example.test',
  accessToken: new Secret('eyJ.secret'),
  expiresAt: new Date('2026-11-23T05:00:00Z'),
  caFile: undefined,
}

describe('the stored sign-in', () => {
  test('comes back as it was stored', async () => {
    await writeSession(environment, session)
    const read = await readSession(environment, origin)
    expect(read).toMatchObject({ origin, email: 'ann@example.test', expiresAt: session.expiresAt })
    expect(read?.accessToken.reveal()).toBe('eyJ.secret')
  })

  test('lies in a file and a folder that nobody else can read', async () => {
    await writeSession(environment, session)
    const file = sessionFile(environment, origin)
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600')
    expect(((await stat(dirname(file))).mode & 0o777).toString(8)).toBe('700')
    expect(await readdir(dirname(file))).toHaveLength(1)
  })

  test('is refused once others can read it', async () => {
    await writeSession(environment, session)
    await chmod(sessionFile(environment, origin), 0o640)
    await expect(readSession(environment, origin)).rejects.toThrow(/can be read by others/)
  })

  test('of one control plane is not sent to another', async () => {
    await writeSession(environment, session)
    expect(await readSession(environment, 'https://other.example.test')).toBeUndefined()
    const moved = sessionFile(environment, 'https://other.example.test')
    await writeFile(moved, await readFile(sessionFile(environment, origin)), { mode: 0o600 })
    await expect(readSession(environment, 'https://other.example.test')).rejects.toThrow(/damaged/)
  })

  test('that is damaged asks for a new sign-in', async () => {
    await writeSession(environment, session)
    await writeFile(sessionFile(environment, origin), '{"origin":')
    await expect(readSession(environment, origin)).rejects.toThrow(/damaged/)
  })

  test('is gone after logout', async () => {
    await writeSession(environment, session)
    expect(await deleteSession(environment, origin)).toBe(true)
    expect(await deleteSession(environment, origin)).toBe(false)
    expect(await readSession(environment, origin)).toBeUndefined()
  })

  test('says what to do when its folder cannot be made', async () => {
    const blocked = join(environment['XDG_CONFIG_HOME'] ?? '', 'file')
    await writeFile(blocked, '')
    await expect(writeSession({ XDG_CONFIG_HOME: blocked }, session)).rejects.toThrow(/cannot be stored in .*ENOTDIR/)
  })
})
