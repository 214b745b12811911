import { connect } from 'node:net'
import { join } from 'node:path'
import { parse, serialize } from 'pg-protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../test/support/embedded-postgres.ts'
import { Secret } from '../base/secret.ts'
import { LoginKey } from './login-key.ts'
import { ScramClient, type ScramProof } from './scram.ts'

let postgres: EmbeddedPostgres
beforeAll(async () => {
  postgres = await startEmbeddedPostgres()
}, 60_000)
afterAll(() => postgres.stop())

async function asSuperuser(...statements: readonly string[]): Promise<void> {
  const client = await postgres.superuser()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

interface AuthenticationMessage {
  readonly name: string
  readonly code?: string
  readonly mechanisms?: readonly string[]
  readonly data?: string
}

/** Logs in to the real server: `ok` once the server's signature verified and the session is ready, else its SQLSTATE. */
function logIn(user: string, proof: ScramProof): Promise<string> {
  const { socketFolder, port } = postgres.server
  const socket = connect(join(socketFolder, `.s.PGSQL.${port}`))
  const client = new ScramClient(proof)
  let verified = false
  return new Promise<string>((resolve, reject) => {
    const answer = async (message: AuthenticationMessage): Promise<void> => {
      if (message.name === 'authenticationSASL') {
        expect(message.mechanisms).toContain('SCRAM-SHA-256')
        socket.write(serialize.sendSASLInitialResponseMessage('SCRAM-SHA-256', client.clientFirst().toString()))
      } else if (message.name === 'authenticationSASLContinue') {
        const final = await client.clientFinal(Buffer.from(message.data!))
        socket.write(serialize.sendSCRAMClientFinalMessage(final.toString()))
      } else if (message.name === 'authenticationSASLFinal') {
        client.verifyServerFinal(Buffer.from(message.data!))
        verified = true
      } else if (message.name === 'readyForQuery') {
        resolve(verified ? 'ok' : 'ready without proof')
        socket.end(serialize.end())
      } else if (message.name === 'error') resolve(message.code ?? 'error')
    }
    socket.on('error', reject)
    socket.on('connect', () => socket.write(serialize.startup({ user, database: 'postgres' })))
    void parse(socket, (message) => void answer(message as AuthenticationMessage).catch(reject))
  }).finally(() => socket.destroy())
}

describe('SCRAM against a real Postgres', () => {
  test('logs in with the login key whose verifier the role was created with, and with no other', async () => {
    const loginKey = LoginKey.generate()
    await asSuperuser(`create role bound login password '${loginKey.verifier()}'`)
    expect(await logIn('bound', { loginKey })).toBe('ok')
    expect(await logIn('bound', { loginKey: LoginKey.generate() })).toBe('28P01')
    expect(await logIn('bound', { password: new Secret(loginKey.verifier()) })).toBe('28P01')
    expect(await logIn('bound', { password: loginKey.toSecret() })).toBe('28P01')
  })

  test('is stored by Postgres as it was given, so that a changed password is seen by comparing', async () => {
    const loginKey = LoginKey.generate()
    await asSuperuser(`create role compared login password '${loginKey.verifier()}'`)
    const client = await postgres.superuser()
    const { rows } = await client.query("select rolpassword from pg_authid where rolname = 'compared'")
    await client.end()
    expect(rows).toEqual([{ rolpassword: loginKey.verifier() }])
  })

  test('is refused after the role changed its own password', async () => {
    const loginKey = LoginKey.generate()
    await asSuperuser(
      `create role drifted login password '${loginKey.verifier()}'`,
      "alter role drifted password 'own'",
    )
    expect(await logIn('drifted', { loginKey })).toBe('28P01')
  })

  test.each([
    ['ASCII', 'pencil'],
    ['composed', 'caf\u00e9'],
    ['decomposed', 'cafe\u0301 \u2168'],
    ['spaces that are none', 'a\u00a0b\u200bc\u3000d'],
    ['soft hyphens', 'I\u00adX\u00e9'],
    ['right-to-left', '\u0627\u0644\u0628'],
    ['mixed directions', '\u0627a\u00aa'],
    ['unassigned in Unicode 3.2', '\u2168\u{1f511}'],
    ['a control character', '\u00aa\u0007'],
    ['private use', '\u00aa\ue000'],
    ['nothing left', '\u00ad'],
    ['a compatibility character that becomes a space', '\u00e9\u2017'],
  ])('prepares a password of this kind as Postgres does: %s', async (kind, password) => {
    const role = `password_${kind.toLowerCase().replaceAll(/\W/g, '_')}`
    await asSuperuser(`create role ${role} login password '${password}'`)
    expect(await logIn(role, { password: new Secret(password) })).toBe('ok')
    expect(await logIn(role, { password: new Secret(`${password}x`) })).toBe('28P01')
  })
})
