import type { IncomingMessage } from 'node:http'

/** Whom a request to an authorization server comes from, as the way in established it. */
export interface Caller {
  /** Address of the client, seen through trusted proxies. */
  readonly peer: string
  readonly requestId: string
}

/** Finds the caller of a request that oidc-provider handles: it passes on nothing but the raw request. */
export type CallerOf = (request: IncomingMessage) => Caller
