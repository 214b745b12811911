/** Where "now" comes from, so that tests can hold it still. */
export interface Clock {
  now(): Date
}

export const systemClock: Clock = { now: () => new Date() }

/** Whole seconds since 1970, the unit of JWT times (RFC 7519 section 2, NumericDate). */
export function epochSeconds(at: Date): number {
  return Math.floor(at.getTime() / 1000)
}
