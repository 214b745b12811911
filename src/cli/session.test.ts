import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Secret } from '../base/secret.ts'
import { deleteSession, readSession, sessionFile, type SessionPlace, writeSession } from './session.ts'

let environment: Record<string, string>
let place: SessionPlace
beforeEach(async () => {
  environment = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'postern-session-')) }
  place = { environment, origin, profile: undefined }
})
afterEach(() => rm(environment['XDG_CONFIG_HOME'] ?? '', { recursive: true }))

const origin = 'https://postern.example.test'
const session = {
  origin,
  email: 'ann@example.test',
  accessToken: new Secret('eyJ.secret'),
  expiresAt: new Date('2026-11-23T05:00:00Z'),
  refreshToken: new Secret('refresh.secret'),
  caFile: undefined,
}

describe('the stored sign-in', () => {
  test('comes back as it was stored', async () => {
    await writeSession(place, session)
    const read = await readSession(place)
    expect(read).toMatchObject({ origin, email: 'ann@example.test', expiresAt: session.expiresAt })
    expect(read?.accessToken.reveal()).toBe('eyJ.secret')
  })

  test('lies in a file and a folder that nobody else can read', async () => {
    await writeSession(place, session)
    const file = sessionFile(place)
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600')
    expect(((await stat(dirname(file))).mode & 0o777).toString(8)).toBe('700')
    expect(await readdir(dirname(file))).toHaveLength(1)
  })

  test('is refused once others can read it', async () => {
    await writeSession(place, session)
    await chmod(sessionFile(place), 0o640)
    await expect(readSession(place)).rejects.toThrow(/can be read by others/)
  })

  test('of one control plane is not sent to another', async () => {
    const other = { ...place, origin: 'https://other.example.test' }
    await writeSession(place, session)
    expect(await readSession(other)).toBeUndefined()
    await writeFile(sessionFile(other), await readFile(sessionFile(place)), { mode: 0o600 })
    await expect(readSession(other)).rejects.toThrow(/damaged/)
  })

  test('of a profile is apart from the one without, and not sent to another control plane', async () => {
    const ofProfile = { ...place, profile: 'work' }
    await writeSession(ofProfile, { ...session, email: 'ben@example.test' })
    expect(await readSession(place)).toBeUndefined()
    expect(await readSession(ofProfile)).toMatchObject({ email: 'ben@example.test' })
    await expect(readSession({ ...ofProfile, origin: 'https://other.example.test' })).rejects.toThrow(
      /profile work is at https:\/\/postern\.example\.test/,
    )
  })

  test('that is damaged asks for a new sign-in', async () => {
    await writeSession(place, session)
    await writeFile(sessionFile(place), '{"origin":')
    await expect(readSession(place)).rejects.toThrow(/damaged/)
  })

  test('is gone after logout', async () => {
    await writeSession(place, session)
    expect(await deleteSession(place)).toBe(true)
    expect(await deleteSession(place)).toBe(false)
    expect(await readSession(place)).toBeUndefined()
  })

  test('says what to do when its folder cannot be made', async () => {
    const blocked = join(environment['XDG_CONFIG_HOME'] ?? '', 'file')
    await writeFile(blocked, '')
    await expect(writeSession({ ...place, environment: { XDG_CONFIG_HOME: blocked } }, session)).rejects.toThrow(
      /cannot be stored in .*ENOTDIR/,
    )
  })
})

describe('where the operating system has a keyring', () => {
  beforeEach(async () => {
    const folder = environment['XDG_CONFIG_HOME'] ?? ''
    await writeFile(join(folder, 'secret-tool'), keyringProgram, { mode: 0o700 })
    Object.assign(environment, {
      PATH: `${folder}:/usr/bin:/bin`,
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere',
      KEYRING_FILE: join(folder, 'kept'),
      ARGUMENTS_FILE: join(folder, 'arguments'),
    })
  })

  test.skipIf(process.platform !== 'linux')(
    'the tokens are there and not in the file, nor in an argument',
    async () => {
      await writeSession(place, session)
      const read = await readSession(place)
      expect(read?.accessToken.reveal()).toBe('eyJ.secret')
      expect(read?.refreshToken?.reveal()).toBe('refresh.secret')
      expect(await readFile(sessionFile(place), 'utf8')).not.toContain('secret')
      expect(await readFile(environment['ARGUMENTS_FILE'] ?? '', 'utf8')).not.toMatch(/(eyJ|refresh)\.secret/)
      await deleteSession(place)
      expect(await readdir(environment['XDG_CONFIG_HOME'] ?? '')).not.toContain('kept')
    },
  )

  test.skipIf(process.platform !== 'linux')(
    'POSTERN_KEYRING=off and a keyring that fails keep them in the file',
    async () => {
      await writeSession({ ...place, environment: { ...environment, POSTERN_KEYRING: 'off' } }, session)
      expect(await readFile(sessionFile(place), 'utf8')).toContain('eyJ.secret')
      environment['KEYRING_FILE'] = '/nowhere/kept'
      await writeSession(place, session)
      expect((await readSession(place))?.accessToken.reveal()).toBe('eyJ.secret')
    },
  )

  test.skipIf(process.platform !== 'linux')('one that does not give them says what to do', async () => {
    await writeSession(place, session)
    await rm(environment['KEYRING_FILE'] ?? '')
    await expect(readSession(place)).rejects.toThrow(/keyring of the operating system does not give/)
  })
})

/** As secret-tool of libsecret: the secret comes and goes by standard input and output. */
const keyringProgram = `#!/bin/sh
printf '%s\\n' "$*" >> "$ARGUMENTS_FILE"
case "$1" in
  store) cat > "$KEYRING_FILE" ;;
  lookup) cat "$KEYRING_FILE" ;;
  clear) rm "$KEYRING_FILE" ;;
esac
`
