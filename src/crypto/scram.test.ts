import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { LoginKey } from './login-key.ts'
import { saslprep } from './saslprep.ts'
import { ScramClient, type ScramProof } from './scram.ts'

const hmac = (key: Uint8Array, text: string) => createHmac('sha256', key).update(text).digest()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

/** A server's verifier from a password, as RFC 5802 section 3 defines it. */
function verifierOf(password: string, iterations = 4096): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, 32, 'sha256')
  const storedKey = sha256(hmac(salted, 'Client Key')).toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac(salted, 'Server Key').toString('base64')}`
}

/** The server's side of RFC 5802 section 5 over a verifier in the form that Postgres stores. */
class ScramServer {
  readonly #parts: { iterations: string; salt: string; storedKey: Buffer; serverKey: Buffer }
  #authMessageStart = ''
  #nonce = ''

  constructor(verifier: string) {
    const match = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/.exec(verifier)!
    const [, iterations, salt, storedKey, serverKey] = match as unknown as [string, string, string, string, string]
    this.#parts = {
      iterations,
      salt,
      storedKey: Buffer.from(storedKey, 'base64'),
      serverKey: Buffer.from(serverKey, 'base64'),
    }
  }

  first(clientFirst: Buffer): Buffer {
    const [, bare] = /^n,,(n=,r=.+)$/.exec(clientFirst.toString())!
    this.#nonce = bare!.slice('n=,r='.length) + randomBytes(18).toString('base64')
    const first = `r=${this.#nonce},s=${this.#parts.salt},i=${this.#parts.iterations}`
    this.#authMessageStart = `${bare},${first}`
    return Buffer.from(first)
  }

  final(clientFinal: Buffer): Buffer {
    const [, withoutProof, nonce, proof] = /^(c=biws,r=([^,]+)),p=(.+)$/.exec(clientFinal.toString())!
    expect(nonce).toBe(this.#nonce)
    const authMessage = `${this.#authMessageStart},${withoutProof}`
    const signature = hmac(this.#parts.storedKey, authMessage)
    const clientKey = Buffer.from(proof!, 'base64').map((byte, index) => byte ^ signature[index]!)
    if (!timingSafeEqual(sha256(clientKey), this.#parts.storedKey)) return Buffer.from('e=invalid-proof')
    return Buffer.from(`v=${hmac(this.#parts.serverKey, authMessage).toString('base64')}`)
  }
}

async function logIn(proof: ScramProof, verifier: string): Promise<void> {
  const client = new ScramClient(proof)
  const server = new ScramServer(verifier)
  client.verifyServerFinal(server.final(await client.clientFinal(server.first(client.clientFirst()))))
}

const password = new Secret('pencil')

async function failure(act: () => unknown): Promise<PosternError> {
  try {
    await act()
  } catch (thrown) {
    if (thrown instanceof PosternError) return thrown
    throw thrown
  }
  throw new Error('it was accepted')
}

describe('a login by password', () => {
  // The exchange printed in the RFC has the user name "user"; ours is empty because Postgres ignores it.
  test('is the exchange of RFC 7677 section 3, byte by byte', async () => {
    const client = new ScramClient({ password }, { nonce: 'rOprNGfwEbeRWgbNEkqO', username: 'user' })
    expect(client.clientFirst().toString()).toBe('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
    const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
    expect((await client.clientFinal(Buffer.from(serverFirst))).toString()).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    )
    client.verifyServerFinal(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))
  })

  test.each([4096, 10_000])('succeeds with %d iterations', async (iterations) => {
    await logIn({ password }, verifierOf('pencil', iterations))
  })

  test('fails with another password', async () => {
    const error = await failure(() => logIn({ password: new Secret('pen') }, verifierOf('pencil')))
    expect(error).toMatchObject({ code: 'UPSTREAM_AUTH_FAILED', detail: { scramError: 'invalid-proof' } })
  })

  test('does not believe a server that knows only what it was sent', async () => {
    const client = new ScramClient({ password })
    const server = new ScramServer(verifierOf('pencil'))
    await client.clientFinal(server.first(client.clientFirst()))
    const guess = Buffer.from(`v=${randomBytes(32).toString('base64')}`)
    expect((await failure(() => client.verifyServerFinal(guess))).code).toBe('UPSTREAM_AUTH_UNSAFE')
  })

  test('takes a fresh nonce each time', () => {
    const nonces = Array.from({ length: 50 }, () => new ScramClient({ password }).clientFirst().toString())
    expect(new Set(nonces).size).toBe(50)
  })

  test('cannot be used out of turn or twice', async () => {
    const server = new ScramServer(verifierOf('pencil'))
    const client = new ScramClient({ password })
    await expect(client.clientFinal(Buffer.from(''))).rejects.toThrow('state new')
    const first = server.first(client.clientFirst())
    expect(() => client.clientFirst()).toThrow('state first-sent')
    expect(() => client.verifyServerFinal(Buffer.from('v='))).toThrow('state first-sent')
    const final = server.final(await client.clientFinal(first))
    await expect(client.clientFinal(first)).rejects.toThrow('state final-sent')
    client.verifyServerFinal(final)
    expect(() => client.verifyServerFinal(final)).toThrow('state verified')
  })
})

describe('a login by login key', () => {
  test('succeeds against the verifier computed from the key', async () => {
    const loginKey = LoginKey.generate()
    await logIn({ loginKey }, loginKey.verifier())
    await logIn({ loginKey: LoginKey.fromSecret(loginKey.toSecret()) }, loginKey.verifier())
  })

  test('fails against the verifier of another key, and of a password', async () => {
    const loginKey = LoginKey.generate()
    expect((await failure(() => logIn({ loginKey }, LoginKey.generate().verifier()))).code).toBe('UPSTREAM_AUTH_FAILED')
    expect((await failure(() => logIn({ loginKey }, verifierOf('pencil')))).code).toBe('UPSTREAM_AUTH_FAILED')
  })

  test('has a verifier in the form that Postgres takes, always the same for the same key', () => {
    const loginKey = LoginKey.generate()
    // Postgres: parse_scram_secret() wants base64 salt, 32-byte keys.
    expect(loginKey.verifier()).toMatch(
      /^SCRAM-SHA-256\$4096:[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{43}=$/,
    )
    expect(LoginKey.fromSecret(loginKey.toSecret()).verifier()).toBe(loginKey.verifier())
    expect(LoginKey.generate().verifier()).not.toBe(loginKey.verifier())
  })

  test('prints nothing of itself', () => {
    const loginKey = LoginKey.generate()
    const printed =
      inspect(loginKey, { showHidden: true, depth: 9 }) + JSON.stringify(loginKey) + String(loginKey.toSecret())
    expect(printed).not.toContain(loginKey.toSecret().reveal().slice(0, 20))
    expect(printed).not.toMatch(/Buffer|Uint8Array/)
  })

  test('refuses a stored key of another length', async () => {
    expect((await failure(() => LoginKey.fromSecret(new Secret('AAAA')))).code).toBe('SECRET_UNREADABLE')
  })
})

describe("the server's messages", () => {
  const nonce = 'abcdefghijklmnopqrstuvwx'
  const good = { r: `${nonce}SERVER`, s: randomBytes(16).toString('base64'), i: '4096' }

  async function challenge(text: string | Buffer): Promise<Buffer> {
    const client = new ScramClient({ loginKey: LoginKey.generate() }, { nonce })
    client.clientFirst()
    return client.clientFinal(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }

  const first = (change: Partial<typeof good>) => {
    const { r, s, i } = { ...good, ...change }
    return `r=${r},s=${s},i=${i}`
  }

  test('may carry extensions that we do not know', async () => {
    await challenge(`${first({})},x=anything`)
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['our nonce alone', first({ r: nonce })],
    ['a nonce that does not begin with ours', first({ r: `x${nonce}SERVER` })],
    ['a nonce that cuts ours short', first({ r: nonce.slice(1) })],
    ['an endless nonce', first({ r: nonce + 'A'.repeat(600) })],
    ['an empty salt', first({ s: '' })],
    ['a salt that is not base64', first({ s: '!!!!' })],
    ['a salt with loose base64', first({ s: 'QUFBQQ' })],
    ['an endless salt', first({ s: Buffer.alloc(300).toString('base64') })],
    ['4095 iterations', first({ i: '4095' })],
    ['1 iteration', first({ i: '1' })],
    ['0 iterations', first({ i: '0' })],
    ['1,000,001 iterations', first({ i: '1000001' })],
    ['2^31 iterations', first({ i: '2147483648' })],
    ['2^64 iterations', first({ i: '18446744073709551617' })],
    ['negative iterations', first({ i: '-4096' })],
    ['hexadecimal iterations', first({ i: '0x1000' })],
    ['iterations with a fraction', first({ i: '4096.5' })],
    ['iterations with an exponent', first({ i: '4096e2' })],
    ['iterations with a leading zero', first({ i: '04096' })],
    ['iterations with a space', first({ i: ' 4096' })],
    ['no iterations', `r=${good.r},s=${good.s}`],
    ['parts in another order', `s=${good.s},r=${good.r},i=4096`],
    ['a mandatory extension', `m=x,${first({})}`],
    ['an empty extension', `${first({})},`],
    ['a NUL', `${first({})}\0`],
    ['a newline', `${first({})}\n`],
    ['a byte beyond ASCII', first({ r: `${nonce}\xe9` })],
    ['too much', `${first({})},x=${'y'.repeat(2048)}`],
  ])('are refused when the first has %s', async (_, text) => {
    expect((await failure(() => challenge(text))).code).toBe('UPSTREAM_PROTOCOL')
  })

  test('never crash the client, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect((await failure(() => challenge(Buffer.from(bytes)))).code).toBe('UPSTREAM_PROTOCOL')
      }),
    )
  })

  test.each(['', 'v=', 'v=AAAA', 'v=!!', 'x=1', `v=${Buffer.alloc(33).toString('base64')}`, `v=${'A'.repeat(4000)}`])(
    'are refused when the final is %j',
    async (text) => {
      const client = new ScramClient({ loginKey: LoginKey.generate() }, { nonce })
      client.clientFirst()
      await client.clientFinal(Buffer.from(first({})))
      expect((await failure(() => client.verifyServerFinal(Buffer.from(text)))).code).toBe('UPSTREAM_PROTOCOL')
    },
  )
})

describe('saslprep', () => {
  // RFC 4013 section 3, except that Postgres takes a password as it is where the RFC refuses it.
  test.each<[string, string, string]>([
    ['maps SOFT HYPHEN to nothing', 'I\u00adX', 'IX'],
    ['leaves ASCII alone', 'user', 'user'],
    ['leaves case alone', 'USER', 'USER'],
    ['normalises by NFKC', '\u00aa', 'a'],
    ['normalises a Roman numeral', '\u2168', 'IX'],
    ['maps a no-break space to a space', 'a\u00a0b', 'a b'],
    ['maps a zero width space to a space, as Postgres does', 'a\u200bb', 'a b'],
    ['composes', 'e\u0301', '\u00e9'],
    ['takes right-to-left text between right-to-left ends', '\u0627\u0031\u0628', '\u0627\u0031\u0628'],
    ['leaves ASCII control characters alone in ASCII', '\u0007', '\u0007'],
    ['gives up on a control character beside other letters', '\u00aa\u0007', '\u00aa\u0007'],
    ['gives up on mixed directions', '\u0627a\u00aa', '\u0627a\u00aa'],
    ['gives up on right-to-left text with another end', '\u0627\u0031', '\u0627\u0031'],
    ['gives up on what Unicode 3.2 had not assigned', '\u2168\u{1f511}', '\u2168\u{1f511}'],
    ['gives up on text of which nothing would be left', '\u00ad', '\u00ad'],
    ['gives up on a lone surrogate', '\u2168\ud800', '\u2168\ud800'],
  ])('%s', (_, written, prepared) => {
    expect(saslprep(written)).toBe(prepared)
  })

  test('is what makes the two spellings of a password the same password', async () => {
    await logIn({ password: new Secret('caf\u00e9') }, verifierOf('cafe\u0301'))
  })
})
