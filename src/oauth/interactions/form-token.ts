import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * What a form must bring back to count as one that this server showed: bound to what the form is about, so that a token seen
 * elsewhere is worth nothing here. Nothing is stored for it.
 */
export class FormTokens {
  readonly #key: string

  constructor(key: string) {
    this.#key = key
  }

  for(subject: string): string {
    return createHmac('sha256', this.#key).update(`form ${subject}`).digest('base64url')
  }

  isFor(subject: string, presented: string | null): boolean {
    const expected = Buffer.from(this.for(subject))
    const given = Buffer.from(presented ?? '')
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
}
