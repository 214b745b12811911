import type { AccessTokens } from './api-client.ts'
import type { Clock } from '../base/clock.ts'
import type { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import type { Endpoint } from './endpoint.ts'
import { withFileLock } from './file-lock.ts'
import { readSession, sessionFile, writeSession, type Session, type SessionPlace } from './session.ts'
import { grantByRefresh, type Grant } from './token-endpoint.ts'

/** As clients of the compatible API do: who asks for an access token has some minutes to use it. */
const renewBeforeMs = 5 * 60_000

interface SessionTokensParts {
  readonly place: SessionPlace
  readonly endpoint: Endpoint
  readonly clock: Clock
  /** What the person is told to do when only a new sign-in helps. */
  readonly hint: string
}

/** The access tokens of a stored sign-in. They are renewed without asking, by one process at a time: a refresh token works once. */
export class SessionTokens implements AccessTokens {
  readonly #parts: SessionTokensParts

  constructor(parts: SessionTokensParts) {
    this.#parts = parts
  }

  async get(): Promise<Secret> {
    return (await this.current()).accessToken
  }

  /** @param isForced renews also what is good for a while yet */
  async current(isForced = false): Promise<Grant> {
    const session = await this.#read()
    if (!isForced && this.#remainingMs(session) > renewBeforeMs) return session
    return this.#renew(session)
  }

  /** After the server refused the access token, before its time. */
  async renew(): Promise<Secret> {
    return (await this.current(true)).accessToken
  }

  async #renew(seen: Session): Promise<Grant> {
    const { place, endpoint, clock } = this.#parts
    if (seen.refreshToken === undefined) return this.#stillGood(seen)
    return withFileLock(`${sessionFile(place)}.lock`, async () => {
      const session = await this.#read()
      // Another process was faster: its access token is as new as ours would be.
      if (session.accessToken.reveal() !== seen.accessToken.reveal()) return this.#stillGood(session)
      if (session.refreshToken === undefined) return this.#stillGood(session)
      try {
        const grant = await grantByRefresh({ endpoint, clock }, session.refreshToken)
        const refreshToken = grant.refreshToken ?? session.refreshToken
        await writeSession(place, { ...session, ...grant, refreshToken })
        return grant
      } catch (thrown) {
        if (!(thrown instanceof CliError)) throw thrown
        if (thrown.code === 'invalid_grant') throw this.#ended(session, thrown)
        if (this.#remainingMs(session) > 0) return session
        throw thrown
      }
    })
  }

  async #read(): Promise<Session> {
    const session = await readSession(this.#parts.place)
    if (session !== undefined) return session
    const { profile, origin } = this.#parts.place
    const as = profile === undefined ? '' : ` with profile ${profile}`
    throw new CliError('denied', `you are not signed in at ${origin}${as}`, { hint: this.#parts.hint })
  }

  #stillGood(session: Session): Session {
    if (this.#remainingMs(session) > 0) return session
    throw this.#ended(session)
  }

  #ended({ email, origin }: Session, cause?: unknown): CliError {
    const message = `the sign-in of ${email} at ${origin} has expired`
    return new CliError('denied', message, { hint: this.#parts.hint, cause })
  }

  #remainingMs({ expiresAt }: Session): number {
    return expiresAt.getTime() - this.#parts.clock.now().getTime()
  }
}
