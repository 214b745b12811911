import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import type { CryptoKey } from 'jose'
import type { Clock } from '../../base/clock.ts'
import { PosternError } from '../../base/errors.ts'
import type { DialerDependencies } from '../../dialer/dial.ts'
import { issuerFetch, type IssuerFetch, type IssuerPlace } from './issuer-http.ts'

const FRESH_FOR_MS = 10 * 60_000
/** A `kid` that is not known asks for the keys again, at most this often: whoever invents one costs the issuer nothing. */
const RETRY_AFTER_MS = 30_000
/** Issuers kept; the one asked for longest ago goes first. */
const MAX_ISSUERS = 256
const MAX_KEYS = 100

/** Whose keys: an issuer, and where they are when its discovery document is not to be asked. */
export interface KeySource extends IssuerPlace {
  readonly jwksUri: string | null
}

interface KnownKeys {
  readonly find: ReturnType<typeof createLocalJWKSet>
  readonly fetchedAtMs: number
}

/**
 * Public keys of foreign issuers, kept in memory for ten minutes. The keys of a token are looked for where the policy says and
 * nowhere else: what its header names (`jku`, `jwk`, `x5u`) is not looked at.
 */
export class IssuerKeys {
  readonly #clock: Clock
  readonly #fetchFor: (place: Pick<IssuerPlace, 'issuerCa'>) => IssuerFetch
  readonly #known = new Map<string, KnownKeys>()
  readonly #fetching = new Map<string, Promise<KnownKeys>>()

  constructor(deps: { readonly clock: Clock; readonly dialer: DialerDependencies }) {
    this.#clock = deps.clock
    this.#fetchFor = (place) => issuerFetch(deps.dialer, place)
  }

  /**
   * The key that a token's header selects.
   * @throws PosternError IDENTITY_PROVIDER_UNAVAILABLE | IDENTITY_PROVIDER_INVALID
   * @throws jose's JWKSNoMatchingKey | JWKSMultipleMatchingKeys
   */
  async find(source: KeySource, header: JWSHeaderParameters, token: FlattenedJWSInput): Promise<CryptoKey> {
    const known = await this.#keys(source, FRESH_FOR_MS)
    try {
      return await known.find(header, token)
    } catch (thrown) {
      if (!(thrown instanceof errors.JWKSNoMatchingKey)) throw thrown
      const newer = await this.#keys(source, RETRY_AFTER_MS)
      if (newer === known) throw thrown
      return newer.find(header, token)
    }
  }

  async #keys(source: KeySource, maxAgeMs: number): Promise<KnownKeys> {
    const place = JSON.stringify([source.issuer, source.issuerCa, source.jwksUri])
    const known = this.#known.get(place)
    if (known !== undefined && this.#clock.now().getTime() - known.fetchedAtMs < maxAgeMs) {
      this.#known.delete(place)
      this.#known.set(place, known)
      return known
    }
    const running = this.#fetching.get(place)
    if (running !== undefined) return running
    const fetching = this.#fetch(source)
    this.#fetching.set(place, fetching)
    try {
      const fetched = await fetching
      this.#known.delete(place)
      this.#known.set(place, fetched)
      for (const oldest of this.#known.keys()) {
        if (this.#known.size <= MAX_ISSUERS) break
        this.#known.delete(oldest)
      }
      return fetched
    } finally {
      this.#fetching.delete(place)
    }
  }

  async #fetch(source: KeySource): Promise<KnownKeys> {
    const fetchedAtMs = this.#clock.now().getTime()
    const get = this.#fetchFor(source)
    const keySet = await readJson(get, source.jwksUri ?? (await this.#discover(get, source.issuer)), 'its keys')
    const keys = Array.isArray(keySet['keys']) ? (keySet['keys'] as unknown[]) : undefined
    if (keys === undefined || keys.length > MAX_KEYS) {
      throw new PosternError(
        'IDENTITY_PROVIDER_INVALID',
        `The keys of ${source.issuer} are not a JWK set of at most ${MAX_KEYS}`,
      )
    }
    // A symmetric key in a public document is nobody's secret, so nothing may be verified with it.
    const usable = keys.filter((key) => ['RSA', 'EC', 'OKP'].includes(String((key as { kty?: unknown } | null)?.kty)))
    return { find: createLocalJWKSet({ keys: usable } as JSONWebKeySet), fetchedAtMs }
  }

  /** OpenID Connect Discovery 1.0 section 4: the document must name the issuer that it was asked for. */
  async #discover(get: IssuerFetch, issuer: string): Promise<string> {
    const document = await readJson(
      get,
      `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
      'its discovery document',
    )
    if (document['issuer'] !== issuer) {
      throw new PosternError('IDENTITY_PROVIDER_INVALID', `The discovery document of ${issuer} names another issuer`)
    }
    return String(document['jwks_uri'])
  }
}

async function readJson(get: IssuerFetch, url: string, what: string): Promise<Record<string, unknown>> {
  if (!URL.canParse(url)) {
    throw new PosternError('IDENTITY_PROVIDER_INVALID', `What the issuer gives as the address of ${what} is no URL`)
  }
  const answer = await get(url, { headers: { accept: 'application/json' } })
  const { host } = new URL(url)
  if (answer.status !== 200) {
    const code = answer.status >= 500 ? 'IDENTITY_PROVIDER_UNAVAILABLE' : 'IDENTITY_PROVIDER_INVALID'
    throw new PosternError(code, `The identity provider ${host} answered ${answer.status} when asked for ${what}`)
  }
  const body: unknown = await answer.json().catch(() => undefined) // anything that is no JSON is told below
  if (typeof body !== 'object' || body === null) {
    throw new PosternError('IDENTITY_PROVIDER_INVALID', `The identity provider ${host} did not answer JSON for ${what}`)
  }
  return body as Record<string, unknown>
}
