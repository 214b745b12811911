import { accessSync, constants, rmSync } from 'node:fs'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { PosternError } from '../base/errors.ts'
import type { Config } from '../config/parse-config.ts'
import { writeAtomically } from './data-folder.ts'

/** Where everything is, once everything accepts connections. The names are a contract for scripts (design section 6). */
export interface ReadyFacts {
  readonly httpUrl: string
  /** Name or address by which the gateway is reached; its certificate carries it. */
  readonly gatewayHost: string
  readonly gatewayPort: number
  /** PEM of the certificate authority that clients trust. */
  readonly caFile: string
  readonly workspace: string
  readonly adminEmail: string
  /** Absent-minded operators find the generated password here; the file stays until somebody removes it. */
  readonly adminPasswordFile: string
}

/** @param ports those that are listened on, where the options said 0 */
export function readyFacts(
  config: Config,
  ports: { readonly http: number; readonly gateway: number },
  files: { readonly caFile: string; readonly adminPasswordFile: string },
): ReadyFacts {
  return {
    httpUrl: httpUrl(config, ports.http),
    gatewayHost: isWildcard(config.gatewayHost) ? config.gatewayDomain : config.gatewayHost,
    gatewayPort: ports.gateway,
    caFile: files.caFile,
    workspace: config.workspaceName,
    adminEmail: config.adminEmail,
    adminPasswordFile: files.adminPasswordFile,
  }
}

/** The address by which clients reach the API: the one given, or the one listened on. */
function httpUrl(config: Pick<Config, 'publicUrl' | 'httpTlsCert' | 'httpHost'>, port: number): string {
  if (config.publicUrl !== undefined) return config.publicUrl
  const scheme = config.httpTlsCert === undefined ? 'http' : 'https'
  const host = isIP(config.httpHost) === 6 ? `[${config.httpHost}]` : config.httpHost
  return `${scheme}://${host}:${port}`
}

/**
 * Removes what an earlier start wrote: whoever waits for the file must not read the ports of then. Proves before anything is
 * started that it can be written.
 * @throws PosternError CONFIG_INVALID
 */
export function clearReadyFile(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK)
    rmSync(path, { force: true })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw new PosternError('CONFIG_INVALID', `The ready file ${path} cannot be written (${code}).`, {
      hint: 'Make its folder, or choose another with --ready-file.',
      cause,
    })
  }
}

/** Writes the file in one step: whoever waits for it never reads half of it. For its owner alone: the demo adds a secret. */
export function writeReadyFile(path: string, facts: object): void {
  writeAtomically(path, `${JSON.stringify(facts, null, 2)}\n`, 0o600)
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}
