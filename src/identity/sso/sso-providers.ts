import { randomUUID } from 'node:crypto'
import { recordAudit } from '../../audit/record-audit.ts'
import { PosternError } from '../../base/errors.ts'
import type { WorkspaceId } from '../../base/ids.ts'
import { Secret } from '../../base/secret.ts'
import type { CreateSsoProviderInput, UpdateSsoProviderInput } from '../../contract/sso-providers.ts'
import type { MasterKey } from '../../crypto/master-key.ts'
import { open, seal } from '../../crypto/seal.ts'
import { readCertificates } from '../../dialer/tls-settings.ts'
import { withStoreErrors } from '../../store/constraint-errors.ts'
import { findPrincipals } from '../../store/principals.ts'
import type { Schema } from '../../store/schema.ts'
import * as rows from '../../store/sso-providers.ts'
import type { Store } from '../../store/store.ts'
import type { Kysely } from 'kysely'
import type { Actor } from '../actor.ts'
import { actorAudit } from '../actor-audit.ts'
import { requireIssuerUrl } from '../issuers/issuer-url.ts'

const MAX_PROVIDERS = 20

export type SsoProvider = rows.SsoProviderRow

interface Dependencies {
  readonly store: Store
  readonly masterKey: MasterKey
}

/**
 * Lets people sign in through an OpenID Connect issuer. Nothing is asked of it yet: the first sign-in finds out.
 * @throws PosternError INVALID_ARGUMENT | ALREADY_EXISTS
 */
export async function createSsoProvider(
  deps: Dependencies,
  actor: Actor,
  input: CreateSsoProviderInput,
): Promise<SsoProvider> {
  const { clientSecret, ...fields } = input
  requireIssuerUrl(input.issuer, 'issuer')
  if (input.issuerCa !== null) readCertificates(input.issuerCa, 'issuerCa')
  const id = randomUUID()
  const provider = {
    ...fields,
    id,
    workspaceId: actor.workspaceId,
    clientSecretSealed: sealSecret(deps, { id, issuer: input.issuer }, clientSecret),
  }
  const existing = await listSsoProviders(deps, actor.workspaceId)
  if (existing.length >= MAX_PROVIDERS) {
    throw new PosternError('INVALID_ARGUMENT', `A workspace has at most ${MAX_PROVIDERS} SSO providers`)
  }
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await rows.insertSsoProvider(db, provider)
      await record(db, actor, 'ssoProvider.create', provider, { issuer: input.issuer, clientId: input.clientId })
    }),
  )
  return findSsoProvider(deps, actor.workspaceId, id)
}

/** SSO providers of the workspace, by name. */
export function listSsoProviders(deps: { readonly store: Store }, workspaceId: WorkspaceId): Promise<SsoProvider[]> {
  return withStoreErrors(rows.listSsoProviders(deps.store.db, workspaceId))
}

/**
 * An SSO provider of the workspace, by id or name.
 * @throws PosternError NOT_FOUND
 */
export async function findSsoProvider(
  deps: { readonly store: Store },
  workspaceId: WorkspaceId,
  reference: string,
): Promise<SsoProvider> {
  const providers = await listSsoProviders(deps, workspaceId)
  const found = providers.find(({ id }) => id === reference) ?? providers.find(({ name }) => name === reference)
  if (found !== undefined) return found
  throw new PosternError('NOT_FOUND', `No SSO provider '${reference.slice(0, 63)}' belongs to this workspace`)
}

/**
 * Changes an SSO provider. Its issuer stays what it is: who signed in through it is known by it.
 * @throws PosternError NOT_FOUND | INVALID_ARGUMENT | ALREADY_EXISTS
 */
export async function updateSsoProvider(
  deps: Dependencies,
  actor: Actor,
  reference: string,
  input: UpdateSsoProviderInput,
): Promise<SsoProvider> {
  const provider = await findSsoProvider(deps, actor.workspaceId, reference)
  const { clientSecret, ...change } = input
  if (typeof input.issuerCa === 'string') readCertificates(input.issuerCa, 'issuerCa')
  if (input.enforced === true && !provider.enforced) await requireSignedInAdmin(deps, actor, provider)
  const sealed = clientSecret === undefined ? undefined : sealSecret(deps, provider, clientSecret ?? undefined)
  await withStoreErrors(
    deps.store.db.transaction().execute(async (db) => {
      await rows.updateSsoProvider(db, provider.id, {
        ...change,
        ...(sealed !== undefined && { clientSecretSealed: sealed }),
      })
      await record(db, actor, 'ssoProvider.update', provider, { changed: Object.keys(input) })
    }),
  )
  return findSsoProvider(deps, actor.workspaceId, provider.id)
}

/**
 * Deletes an SSO provider and who was known through it. The users stay.
 * @throws PosternError NOT_FOUND
 */
export async function deleteSsoProvider(
  deps: { readonly store: Store },
  actor: Actor,
  reference: string,
): Promise<void> {
  const provider = await findSsoProvider(deps, actor.workspaceId, reference)
  await deps.store.db.transaction().execute(async (db) => {
    await rows.deleteSsoProvider(db, provider.id)
    await record(db, actor, 'ssoProvider.delete', provider, { issuer: provider.issuer })
  })
}

/** The client secret; undefined: a public client. @throws PosternError SECRET_UNREADABLE */
export function openClientSecret(
  { masterKey }: Pick<Dependencies, 'masterKey'>,
  provider: SsoProvider,
): Secret | undefined {
  const { clientSecretSealed } = provider
  return clientSecretSealed === null ? undefined : open(masterKey, clientSecretSealed, sealContext(provider))
}

/** Passwords are switched off only by a way in that was gone: otherwise a wrong client id would lock everybody out. */
async function requireSignedInAdmin(deps: Dependencies, actor: Actor, provider: SsoProvider): Promise<void> {
  for (const id of await rows.listSsoPrincipals(deps.store.db, provider.id)) {
    const [principal] = await findPrincipals(deps.store.db, actor.workspaceId, { id })
    if (principal?.active === true && principal.workspaceRole === 'admin') return
  }
  throw new PosternError('INVALID_ARGUMENT', `No Workspace Admin has signed in through '${provider.name}' yet`, {
    hint: 'Sign in through it as a Workspace Admin once; then passwords can be switched off.',
  })
}

function sealSecret(
  { masterKey }: Dependencies,
  provider: Pick<SsoProvider, 'id' | 'issuer'>,
  clientSecret: string | undefined,
): Buffer | null {
  return clientSecret === undefined ? null : seal(masterKey, new Secret(clientSecret), sealContext(provider))
}

/** The secret is for this issuer: a row that names another one does not open it. */
function sealContext({ id, issuer }: Pick<SsoProvider, 'id' | 'issuer'>) {
  return { table: 'sso_provider', row: id, field: 'client_secret', destination: issuer }
}

async function record(
  db: Kysely<Schema>,
  actor: Actor,
  action: 'ssoProvider.create' | 'ssoProvider.update' | 'ssoProvider.delete',
  provider: Pick<SsoProvider, 'id' | 'name'>,
  detail: Readonly<Record<string, string | readonly string[]>>,
): Promise<void> {
  await recordAudit(db, {
    ...actorAudit(actor),
    action,
    outcome: 'allowed',
    targetType: 'workspace',
    targetId: actor.workspaceId,
    targetName: provider.name,
    detail: { ssoProvider: provider.id, ...detail },
  })
}
