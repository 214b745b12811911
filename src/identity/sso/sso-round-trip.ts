import { createHmac, timingSafeEqual } from 'node:crypto'
import type { RoundTrip } from './sso-client.ts'

/**
 * What belongs to one round trip, made from a secret of 32 bytes that only the browser keeps, in a cookie: nothing of it is stored
 * here, and an answer that comes with another browser, for another provider or another sign-in does not fit.
 */
export function roundTripOf(browserSecret: Buffer, providerId: string, interaction: string): RoundTrip {
  const made = (purpose: string) =>
    createHmac('sha256', browserSecret)
      .update(JSON.stringify([purpose, providerId, interaction]))
      .digest('base64url')
  return { state: `${interaction}.${made('state')}`, nonce: made('nonce'), codeVerifier: made('code verifier') }
}

/** The sign-in that a state names, not yet believed. */
export function interactionOfState(state: string): string | undefined {
  return /^([\w-]{1,64})\.[\w-]{43}$/.exec(state)?.[1]
}

/** Whether both are the same, in the same time whatever they are. */
export function isSameState(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
