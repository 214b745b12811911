/** No database credential could be had: what happened, and what the control plane calls it. Holds no secret. */
export class CredentialError extends Error {
  /** Error code of Postern such as `ROLE_NOT_BOUND`, of OAuth such as `invalid_client`, or of the network such as `ECONNREFUSED`. */
  readonly code: string
  /** HTTP status; undefined where no answer came. */
  readonly status: number | undefined

  constructor(message: string, code: string, status: number | undefined, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'CredentialError'
    this.code = code
    this.status = status
  }
}
