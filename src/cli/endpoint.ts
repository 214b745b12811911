import { isIPv4, isIPv6 } from 'node:net'
import { CliError } from './cli-error.ts'
import { readTextFile } from './read-secret.ts'

/** The control plane that a command talks to. */
export interface Endpoint {
  /** `http://127.0.0.1:8080`: scheme, host and port, no path. */
  readonly origin: string
  /** PEM bundle to trust instead of the public authorities. */
  readonly ca: string | undefined
}

export const DEFAULT_HOST = 'http://127.0.0.1:8080'

/**
 * Reads `--host` and `--ca-file`. Plain http is for this machine alone: passwords, secrets and access tokens travel over it.
 * @throws CliError caller
 */
export async function resolveEndpoint(host: string, caFile: string | undefined): Promise<Endpoint> {
  const origin = parseOrigin(host)
  const ca = caFile === undefined ? undefined : await readTextFile(caFile, '--ca-file')
  if (ca !== undefined && !ca.includes('-----BEGIN CERTIFICATE-----')) {
    throw new CliError('caller', `--ca-file ${caFile} holds no PEM certificate`, {
      hint: 'Give the file that begins with -----BEGIN CERTIFICATE-----.',
    })
  }
  return { origin, ca }
}

/** The origin of `--host`; a bare `name` or `name:port` means https, and http on this machine. */
export function parseOrigin(host: string): string {
  const hint = 'Write it as https://postern.example.test or http://127.0.0.1:8080.'
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(host) ? host : withScheme(host))
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new CliError('caller', `--host ${host} is not an http or https address`, { hint })
  }
  if (url.username !== '' || url.password !== '')
    throw new CliError('caller', '--host must not hold a user or a password', { hint })
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw new CliError('caller', `--host ${host} must end after the port`, { hint })
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new CliError('caller', `--host ${url.origin} would send passwords and access tokens unencrypted`, {
      hint: 'Use https://, or reach it on this machine.',
    })
  }
  return url.origin
}

function withScheme(host: string): string {
  const url = URL.parse(`http://${host}`)
  return url !== null && isLoopback(url.hostname) ? `http://${host}` : `https://${host}`
}

/** `hostname` as `URL` writes it: IPv4 in dotted form, IPv6 in brackets and shortest form. */
function isLoopback(hostname: string): boolean {
  if (isIPv4(hostname)) return hostname.startsWith('127.')
  if (hostname.startsWith('[')) return isIPv6(hostname.slice(1, -1)) && hostname === '[::1]'
  return hostname === 'localhost' || hostname.endsWith('.localhost')
}
