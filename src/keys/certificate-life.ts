const DAY_MS = 24 * 60 * 60 * 1000

/** Clients hold the authority's certificate in a file, so it outlives everything it issues. */
export const AUTHORITY_LIFE_MS = 3650 * DAY_MS

/** Short, because a new one needs nobody's help. */
export const SERVER_CERTIFICATE_LIFE_MS = 90 * DAY_MS
