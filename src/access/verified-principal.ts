import type { InstanceId, PrincipalId, WorkspaceId } from '../base/ids.ts'

interface VerifiedPrincipalFields {
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  /** What was presented. An access token names no instance: those that take it say so themselves. */
  readonly proof: 'credential' | 'access-token'
  /** The instances that the credential names: 1 to 10 immutable ids. */
  readonly instanceIds: readonly InstanceId[]
  /** The only group as whose Postgres role the credential logs in; undefined: any Postgres role that the principal holds. */
  readonly groupId: PrincipalId | undefined
  /** Sessions on a read-only data source alone. */
  readonly readOnly: boolean
  /** Id of the credential itself (`jti`), for the audit record. */
  readonly credentialId: string
  readonly expiresAt: Date
}

/**
 * Proof that a database credential, or an access token, was verified: signature, type, issuer, audience and expiry. Only
 * {@link verifyDatabaseCredential} and {@link verifyAccessTokenPassword} make one; an object literal of the same shape does not compile.
 */
export class VerifiedPrincipal {
  readonly #proof = true
  readonly workspaceId: WorkspaceId
  readonly principalId: PrincipalId
  readonly proof: 'credential' | 'access-token'
  readonly instanceIds: readonly InstanceId[]
  readonly groupId: PrincipalId | undefined
  readonly readOnly: boolean
  readonly credentialId: string
  readonly expiresAt: Date

  private constructor(fields: VerifiedPrincipalFields) {
    this.workspaceId = fields.workspaceId
    this.principalId = fields.principalId
    this.proof = fields.proof
    this.instanceIds = fields.instanceIds
    this.groupId = fields.groupId
    this.readOnly = fields.readOnly
    this.credentialId = fields.credentialId
    this.expiresAt = fields.expiresAt
  }

  /** For verify-credential.ts and verify-access-token-password.ts alone. */
  static afterVerification(fields: VerifiedPrincipalFields): VerifiedPrincipal {
    return new VerifiedPrincipal(fields)
  }

  static isOne(value: unknown): value is VerifiedPrincipal {
    return value instanceof VerifiedPrincipal && value.#proof
  }
}
