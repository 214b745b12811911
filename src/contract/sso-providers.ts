import { z } from 'zod'
import { writeOnly } from './write-only.ts'

const name = z.string().trim().min(1, 'must not be empty').max(63).describe('What people read on the sign-in page.')
const claim = z.string().regex(/^[\w.:/-]{1,128}$/, 'must be the name of a claim')
const clientSecret = z.string().min(1, 'must not be empty').max(1024)
const domain = z
  .string()
  .max(253)
  .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'must be a domain in lower case, as example.com')

const fields = {
  name,
  clientId: z.string().min(1, 'must not be empty').max(512).describe('Of Postern at the identity provider.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'must be a scope'))
    .min(1)
    .max(20)
    .refine((scopes) => scopes.includes('openid'), 'must include openid')
    .describe('What is asked for at each sign-in.'),
  emailClaim: claim.describe('The claim that is the e-mail address.'),
  nameClaim: claim.describe('The claim that is the display name of a user that is created.'),
  groupsClaim: claim
    .nullable()
    .describe('The claim that names groups, by display name or external id. Null: groups are left alone.'),
  emailDomains: z
    .array(domain)
    .max(50)
    .describe('The issuer is believed for addresses of these domains. None: for those it calls verified.'),
  createsUsers: z
    .boolean()
    .describe('Whether somebody unknown becomes a user, as Workspace Member, at the first sign-in.'),
  enforced: z.boolean().describe('Whether passwords are refused in this workspace.'),
  issuerCa: z
    .string()
    .max(64 * 1024)
    .nullable()
    .describe("PEM of the authorities of the issuer's certificate. Null: the public ones."),
}

export const CreateSsoProviderInput = z.strictObject({
  ...fields,
  issuer: z.string().max(2048).describe('As the identity provider writes it in its discovery document; https.'),
  clientSecret: writeOnly(clientSecret.optional()).describe('Absent: a public client.'),
  scopes: fields.scopes.default(['openid', 'email', 'profile']),
  emailClaim: fields.emailClaim.default('email'),
  nameClaim: fields.nameClaim.default('name'),
  groupsClaim: fields.groupsClaim.default(null),
  emailDomains: fields.emailDomains.default([]),
  createsUsers: fields.createsUsers.default(false),
  enforced: z
    .literal(false, 'can be true only after an administrator has signed in through the provider')
    .default(false),
  issuerCa: fields.issuerCa.default(null),
})
export type CreateSsoProviderInput = z.infer<typeof CreateSsoProviderInput>

export const UpdateSsoProviderInput = z
  .strictObject({ ...fields, clientSecret: writeOnly(clientSecret.nullable()).describe('Null: a public client.') })
  .partial()
export type UpdateSsoProviderInput = z.infer<typeof UpdateSsoProviderInput>

export const SsoProvider = z.object({
  ...fields,
  id: z.uuid(),
  issuer: z.string(),
  hasClientSecret: z.boolean(),
  redirectUri: z.string().describe('To be registered at the identity provider.'),
  createdAt: z.iso.datetime(),
})
export type SsoProvider = z.infer<typeof SsoProvider>
export const SsoProviderList = z.object({ ssoProviders: z.array(SsoProvider) })
