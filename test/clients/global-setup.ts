import type { TestProject } from 'vitest/node'
import type { LibpqTarget } from '../support/psql.ts'
import { type DemoReadyFile, type RunningPostern, startDemo } from '../support/running-postern.ts'

/** A real gateway in front of the managed instance `sample`, and one service principal that may log in to it. */
export interface DemoGateway {
  readonly host: string
  readonly port: number
  /** SNI name that means the instance. */
  readonly serverName: string
  readonly ca: string
  readonly caFile: string
  readonly user: string
  readonly database: string
  /** A database credential that holds for an hour. */
  readonly credential: string
  /** For programs made of libpq, by SNI and verified. */
  readonly libpq: LibpqTarget
}

declare module 'vitest' {
  export interface ProvidedContext {
    gateway: DemoGateway
  }
}

/** Starts the one gateway that all clients share; tests get it by `inject('gateway')`. */
export async function setup(project: TestProject): Promise<() => Promise<unknown>> {
  const postern = await startDemo()
  project.provide('gateway', await describeDemo(postern))
  return () => postern.stop()
}

/** What a client needs to know of a running demo. */
export async function describeDemo(postern: RunningPostern<DemoReadyFile>): Promise<DemoGateway> {
  const { gatewayHost: host, gatewayPort: port, caFile, database, servicePrincipal } = postern.ready
  const { clientId: user, clientSecret } = servicePrincipal
  const credential = await (await postern.asServicePrincipal(user, clientSecret)).mintCredential('sample')
  const serverName = 'sample.postern.localhost'
  const libpq = postern.libpqTarget({ gatewayHost: serverName }, { user, password: credential, database })
  return { host, port, serverName, ca: postern.ca, caFile, user, database, credential, libpq }
}
