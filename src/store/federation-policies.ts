import type { Kysely } from 'kysely'
import type { PrincipalId } from '../base/ids.ts'
import type { Schema } from './schema.ts'

/** Whose tokens a service principal may exchange for access tokens. Issuer, audience and subject are compared exactly. */
export interface FederationPolicyRow {
  readonly id: string
  readonly principalId: PrincipalId
  readonly name: string
  readonly issuer: string
  /** PEM of the authorities that the issuer's certificate may come from; null: the public ones. */
  readonly issuerCa: string | null
  /** Where the issuer's keys are; null: where its discovery document says. */
  readonly jwksUri: string | null
  /** Empty: the token endpoint of the workspace. */
  readonly audiences: readonly string[]
  readonly subjectClaim: string
  readonly subject: string
  readonly createdAt: Date
}

const columns = [
  'id',
  'principal_id as principalId',
  'name',
  'issuer',
  'issuer_ca as issuerCa',
  'jwks_uri as jwksUri',
  'audiences',
  'subject_claim as subjectClaim',
  'subject',
  'created_at as createdAt',
] as const

export async function insertFederationPolicy(
  db: Kysely<Schema>,
  policy: Omit<FederationPolicyRow, 'createdAt'>,
): Promise<void> {
  await db
    .insertInto('federation_policy')
    .values({
      id: policy.id,
      principal_id: policy.principalId,
      name: policy.name,
      issuer: policy.issuer,
      issuer_ca: policy.issuerCa,
      jwks_uri: policy.jwksUri,
      audiences: [...policy.audiences],
      subject_claim: policy.subjectClaim,
      subject: policy.subject,
    })
    .execute()
}

/** Policies of one service principal, by name. */
export function listFederationPolicies(db: Kysely<Schema>, principalId: PrincipalId): Promise<FederationPolicyRow[]> {
  return db
    .selectFrom('federation_policy')
    .select(columns)
    .where('principal_id', '=', principalId)
    .orderBy('name')
    .execute()
}

/** The deleted policy; undefined when there was none of this name. */
export function deleteFederationPolicy(
  db: Kysely<Schema>,
  principalId: PrincipalId,
  name: string,
): Promise<FederationPolicyRow | undefined> {
  return db
    .deleteFrom('federation_policy')
    .where('principal_id', '=', principalId)
    .where('name', '=', name)
    .returning(columns)
    .executeTakeFirst()
}
