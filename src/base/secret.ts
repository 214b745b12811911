const hidden = '[secret]'

/**
 * A value that must never be printed, logged or serialised: every ordinary way of turning it into text yields `[secret]`.
 * The value is only reachable through {@link Secret.reveal}, which makes each use easy to find in review.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Call it at the point of use and keep the result in no field. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return hidden
  }

  toJSON(): string {
    return hidden
  }

  get [Symbol.toStringTag](): string {
    return hidden
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return hidden
  }
}
