import { existsSync, readFileSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import type { Config } from '../config/parse-config.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { ensureServerCertificate, serverCertificateNames } from '../keys/server-certificate.ts'
import { loadTlsFiles } from '../keys/tls-files.ts'
import type { Store } from '../store/store.ts'
import { listWorkspaces } from '../store/workspaces.ts'
import type { TlsIdentity } from '../transport/byte-socket.ts'
import { writeAtomically } from './data-folder.ts'

interface GatewayIdentityOptions {
  readonly store: Store
  readonly masterKey: MasterKey
  readonly config: Pick<
    Config,
    'gatewayTlsCert' | 'gatewayTlsKey' | 'gatewayDomain' | 'gatewayTlsNames' | 'gatewayHost'
  >
  readonly caFile: string
}

/** What the gateway presents, and what clients are to trust. */
export interface PresentedIdentity {
  readonly identity: TlsIdentity
  readonly trustedPem: string
}

/** How soon a replaced file, or a certificate that another node renewed, is presented. */
const REFRESH_MS = 5_000

/**
 * What the gateway presents: the operator's files, or Postern's own certificate. It lives in the supervisor, which can still
 * read key files that only root may read when the workers no longer can.
 *
 * The file that clients trust is written along: the certificate of our own authority, or the operator's own chain.
 */
export class GatewayIdentity {
  readonly #options: GatewayIdentityOptions
  #current: PresentedIdentity
  #timer: ReturnType<typeof setInterval> | undefined

  private constructor(options: GatewayIdentityOptions, current: PresentedIdentity) {
    this.#options = options
    this.#current = current
  }

  /** @throws PosternError CONFIG_INVALID when the operator's files cannot be read | SECRET_UNREADABLE */
  static async load(options: GatewayIdentityOptions): Promise<GatewayIdentity> {
    return new GatewayIdentity(options, await readIdentity(options))
  }

  get current(): PresentedIdentity {
    return this.#current
  }

  /** Looks for a new certificate from time to time and hands it on. */
  follow(onChange: (presented: PresentedIdentity) => void, onError: (error: unknown) => void): void {
    const refresh = async (): Promise<void> => {
      const presented = await readIdentity(this.#options)
      const { identity } = this.#current
      const isSame =
        presented.identity.certificateChainPem === identity.certificateChainPem &&
        presented.identity.privateKeyPem === identity.privateKeyPem
      if (isSame) return
      this.#current = presented
      onChange(presented)
    }
    this.#timer = setInterval(() => void refresh().catch(onError), REFRESH_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

async function readIdentity(options: GatewayIdentityOptions): Promise<PresentedIdentity> {
  const { config, caFile } = options
  const { gatewayTlsCert, gatewayTlsKey } = config
  if (gatewayTlsCert !== undefined && gatewayTlsKey !== undefined) {
    const identity = loadTlsFiles(gatewayTlsCert, gatewayTlsKey, systemClock.now())
    publish(caFile, identity.certificateChainPem)
    return { identity, trustedPem: identity.certificateChainPem }
  }
  const isWildcard = config.gatewayHost === '0.0.0.0' || config.gatewayHost === '::'
  const extraNames = [...config.gatewayTlsNames, ...(isWildcard ? [] : [config.gatewayHost])]
  // Workspaces come at run time; each has a gateway domain, which clients verify.
  const domains = (await listWorkspaces(options.store.db)).map(({ gatewayDomain }) => gatewayDomain)
  const names = serverCertificateNames([config.gatewayDomain, ...domains], extraNames)
  const certificate = await ensureServerCertificate({ ...options, clock: systemClock }, names)
  publish(caFile, certificate.caPem)
  return { identity: certificate.identity, trustedPem: certificate.caPem }
}

/** Leaves a file that is right already alone, so that its time says when it changed. */
function publish(caFile: string, pem: string): void {
  if (existsSync(caFile) && readFileSync(caFile, 'utf8') === pem) return
  writeAtomically(caFile, pem, 0o644)
}
