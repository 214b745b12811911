import type { Secret } from '../base/secret.ts'

/** One request to a secret manager or an identity service. */
export interface SecretRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly tls?: {
    /** PEM bundle to trust instead of the public authorities. */
    readonly caPem?: string | undefined
    readonly certificatePem?: string | undefined
    readonly privateKeyPem?: Secret | undefined
  }
  readonly signal: AbortSignal
}

export interface SecretResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/**
 * HTTP as the dialer speaks it: TLS verified, the resolved address checked at each dial, no redirect followed, the answer
 * bounded in size. Plain HTTP goes to a loopback address alone.
 */
export interface SecretHttp {
  /** @throws PosternError SECRET_SOURCE_UNAVAILABLE | SECRET_SOURCE_REFUSED */
  request(request: SecretRequest): Promise<SecretResponse>
}
