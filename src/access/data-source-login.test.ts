import { describe, expect, it } from 'vitest'
import { testRoute } from '../../test/support/test-route.ts'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { noCloudLogins, type CloudLogin, type CloudLogins } from '../dialer/cloud-logins.ts'
import type { DataSourceRoute } from '../dialer/data-source-route.ts'
import { noSecretReferences } from '../dialer/secret-references.ts'
import { withLogin } from './data-source-login.ts'

const KEY = new Secret('the access key')

/** Numbers its tokens, and remembers one until it is refused. */
class CountedLogins implements CloudLogins {
  made = 0
  #isRemembered = false

  constructor(isRemembered = false) {
    this.#isRemembered = isRemembered
  }

  logIn(): Promise<CloudLogin> {
    const origin = this.#isRemembered ? 'cached' : 'fetched'
    if (!this.#isRemembered) this.made += 1
    this.#isRemembered = true
    return Promise.resolve({
      username: 'postern',
      token: new Secret(`token ${this.made}`),
      origin,
      description: 'token of a test',
      refusalHint: () => Promise.resolve('look there'),
      reject: () => (this.#isRemembered = false),
    })
  }

  wayTo = noCloudLogins.wayTo
}

function route(change: Partial<DataSourceRoute> = {}): DataSourceRoute {
  return testRoute(5432, { loginMethod: 'aws_iam', tlsMode: 'verify-full', ...change })
}

const refused = () => new PosternError('UPSTREAM_AUTH_FAILED', 'the database refused it')

describe('a login that a cloud vouches for', () => {
  it('stands in for the password, and the access key goes no further', async () => {
    const dialer = { secretReferences: noSecretReferences, cloudLogins: new CountedLogins() }
    const secrets = await withLogin(dialer, route(), { awsCredentials: KEY }, (login) => Promise.resolve(login.secrets))
    expect(Object.keys(secrets)).toEqual(['password'])
    expect(secrets.password?.reveal()).toBe('token 1')
  })

  it.each<Partial<DataSourceRoute>>([{ tlsMode: 'require' }, { tlsMode: 'disable' }, { tlsMode: 'verify-ca' }])(
    'is refused where TLS would not prove who receives the token: %o',
    async (change) => {
      const cloudLogins = new CountedLogins()
      const attempt = withLogin({ secretReferences: noSecretReferences, cloudLogins }, route(change), {}, () =>
        Promise.resolve(),
      )
      await expect(attempt).rejects.toMatchObject({ code: 'UPSTREAM_AUTH_UNSAFE' })
      expect(cloudLogins.made).toBe(0)
    },
  )

  it('is tried once more with a fresh token where a remembered one was refused', async () => {
    const dialer = { secretReferences: noSecretReferences, cloudLogins: new CountedLogins(true) }
    const given: string[] = []
    const result = await withLogin(dialer, route(), {}, ({ secrets }) => {
      given.push(secrets.password?.reveal() ?? '')
      return given.length === 1 ? Promise.reject(refused()) : Promise.resolve('in')
    })
    expect({ result, given }).toEqual({ result: 'in', given: ['token 0', 'token 1'] })
  })

  it('is not tried again with a token as new as it gets: the refusal says which token and where to look', async () => {
    const cloudLogins = new CountedLogins()
    let attempts = 0
    const attempt = withLogin({ secretReferences: noSecretReferences, cloudLogins }, route(), {}, () => {
      attempts += 1
      return Promise.reject(refused())
    })
    await expect(attempt).rejects.toMatchObject({
      code: 'UPSTREAM_AUTH_FAILED',
      message: 'the database refused it; it was given: token of a test',
      hint: 'look there',
    })
    expect(attempts).toBe(1)
  })

  it('makes no token for a login with a password', async () => {
    const cloudLogins = new CountedLogins()
    const password = new Secret('x')
    await withLogin(
      { secretReferences: noSecretReferences, cloudLogins },
      route({ loginMethod: 'password' }),
      { password },
      ({ secrets }) => Promise.resolve(expect(secrets.password).toBe(password)),
    )
    expect(cloudLogins.made).toBe(0)
  })
})
