import { isLoopbackHost, isWildcardHost } from './ip-address.ts'
import type { Config } from './options.ts'

/** What is wrong with options that are each right by themselves: one sentence per mistake. */
export function checkConfig(config: Config, use: Use): string[] {
  return checks.flatMap((check) => check(config, use) ?? [])
}

/** What the options are for; see ConfigInput. */
interface Use {
  readonly opensNothing?: boolean
}

type Check = (config: Config, use: Use) => string | undefined

const checks: readonly Check[] = [
  ({ httpTlsCert, httpTlsKey }) =>
    (httpTlsCert === undefined) !== (httpTlsKey === undefined)
      ? 'httpTlsCert and httpTlsKey: give both or neither'
      : undefined,
  ({ gatewayTlsCert, gatewayTlsKey }) =>
    (gatewayTlsCert === undefined) !== (gatewayTlsKey === undefined)
      ? 'gatewayTlsCert and gatewayTlsKey: give both or neither'
      : undefined,
  ({ httpHost, httpTlsCert, httpBehindTlsProxy }) =>
    !isLoopbackHost(httpHost) && httpTlsCert === undefined && !httpBehindTlsProxy
      ? `httpHost: plain HTTP is served on loopback only; for ${httpHost} give httpTlsCert and httpTlsKey, or httpBehindTlsProxy if a reverse proxy in front ends TLS`
      : undefined,
  ({ httpBehindTlsProxy, httpTlsCert }) =>
    httpBehindTlsProxy && httpTlsCert !== undefined
      ? 'httpBehindTlsProxy and httpTlsCert: give one of them'
      : undefined,
  ({ httpBehindTlsProxy, publicUrl }) =>
    httpBehindTlsProxy && publicUrl === undefined
      ? 'httpBehindTlsProxy: needs publicUrl, the https address by which clients reach the reverse proxy'
      : undefined,
  ({ httpHost, httpBehindTlsProxy, publicUrl }) =>
    isWildcardHost(httpHost) && !httpBehindTlsProxy && publicUrl === undefined
      ? `httpHost: ${httpHost} is no address that a client can use; give publicUrl as well`
      : undefined,
  ({ publicUrl }) =>
    publicUrl !== undefined && publicUrl.startsWith('http:') && !isLoopbackHost(bareHost(publicUrl))
      ? 'publicUrl: must begin with https:// unless its host is a loopback address'
      : undefined,
  ({ httpHost, httpPort, gatewayHost, gatewayPort }) =>
    httpPort !== 0 &&
    httpPort === gatewayPort &&
    (httpHost === gatewayHost || isWildcardHost(httpHost) || isWildcardHost(gatewayHost))
      ? `httpPort and gatewayPort: both are ${httpPort} on the same address`
      : undefined,
  ({ storeUrl, masterKey }, { opensNothing = false }) =>
    storeUrl !== undefined && masterKey === undefined && !opensNothing
      ? 'storeUrl: needs masterKey, because a key is only made together with an empty store of its own'
      : undefined,
  ({ loginTimeoutSeconds, loginStoreDeadlineMs, loginDenialFloorMs }) =>
    loginStoreDeadlineMs + loginDenialFloorMs >= loginTimeoutSeconds * 1000
      ? 'loginTimeoutSeconds: must be longer than loginStoreDeadlineMs and loginDenialFloorMs together'
      : undefined,
]

function bareHost(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}
