import { z } from 'zod'

const name = z
  .string()
  .regex(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z, 0-9 and -, beginning with a letter')

export const CreateFederationPolicyInput = z.strictObject({
  name: name.describe('Handle of the policy, unique for its service principal.'),
  issuer: z.string().max(2048).describe('`iss` of the tokens, character by character; https.'),
  subject: z.string().min(1, 'must not be empty').max(1024).describe('What the subject claim must be, exactly.'),
  subjectClaim: z
    .string()
    .regex(/^[\w.:/-]{1,128}$/, 'must be the name of a claim')
    .default('sub')
    .describe('The claim that is compared with `subject`.'),
  audiences: z
    .array(z.string().min(1, 'must not be empty').max(2048))
    .max(10)
    .default([])
    .describe('One of them must be in `aud`. None: the token endpoint of the workspace.'),
  jwksUri: z
    .string()
    .max(2048)
    .optional()
    .describe("Where the issuer's keys are. Absent: where its discovery document says."),
  issuerCa: z
    .string()
    .max(64 * 1024)
    .optional()
    .describe("PEM of the authorities of the issuer's certificate. Absent: the public ones."),
})
export type CreateFederationPolicyInput = z.infer<typeof CreateFederationPolicyInput>

export const FederationPolicy = z.object({
  id: z.uuid(),
  name: z.string(),
  issuer: z.string(),
  subject: z.string(),
  subjectClaim: z.string(),
  audiences: z.array(z.string()),
  jwksUri: z.string().nullable(),
  issuerCa: z.string().nullable(),
  createdAt: z.iso.datetime(),
})
export type FederationPolicy = z.infer<typeof FederationPolicy>
export const FederationPolicyList = z.object({ federationPolicies: z.array(FederationPolicy) })
