import type { Adapter, AdapterPayload, ClientMetadata } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import {
  consumeOauthArtifact,
  deleteOauthArtifact,
  deleteOauthArtifactsOfGrant,
  findOauthArtifact,
  type OauthArtifactKey,
  upsertOauthArtifact,
} from '../store/oauth-artifacts.ts'
import type { Store } from '../store/store.ts'
import { StoredArtifact } from './stored-artifact.ts'

/** How long an artifact outlives its expiry in the store: somebody who comes a little late should read that he does. */
export const artifactKeptAfterExpiryMs = 3_600_000

/** Where an authorization server of one workspace keeps one kind of artifact. */
export class PostgresAdapter implements Adapter {
  readonly #db: Store['db']
  readonly #clock: Clock
  readonly #workspaceId: WorkspaceId
  readonly #model: string
  readonly #stored: StoredArtifact
  readonly #usedAlready: () => Error

  /** @param usedAlready makes what a caller reads whose code or refresh token was used before */
  constructor(
    deps: { readonly store: Store; readonly clock: Clock; readonly masterKey: MasterKey },
    workspaceId: WorkspaceId,
    model: string,
    usedAlready: () => Error,
  ) {
    this.#db = deps.store.db
    this.#clock = deps.clock
    this.#workspaceId = workspaceId
    this.#model = model
    this.#stored = new StoredArtifact(deps.masterKey, workspaceId, model)
    this.#usedAlready = usedAlready
  }

  async upsert(id: string, payload: AdapterPayload, expiresInSeconds: number): Promise<void> {
    const expiresAt = expiresInSeconds ? new Date(this.#clock.now().getTime() + expiresInSeconds * 1000) : null
    await upsertOauthArtifact(this.#db, this.#place(id), {
      payload: this.#stored.closed(id, payload),
      grantId: payload.grantId ?? null,
      userCode: payload.userCode ?? null,
      uid: payload.uid ?? null,
      expiresAt,
    })
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    return this.#find({ id })
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#find({ uid })
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#find({ userCode })
  }

  /** The provider has read that it is unused, but so may others at the same time: whoever comes second ends the grant. */
  async consume(id: string): Promise<void> {
    if (await consumeOauthArtifact(this.#db, this.#place(id), this.#clock.now())) return
    const used = await this.find(id)
    if (typeof used?.grantId === 'string') await this.revokeByGrantId(used.grantId)
    throw this.#usedAlready()
  }

  async destroy(id: string): Promise<void> {
    await deleteOauthArtifact(this.#db, this.#place(id))
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    await deleteOauthArtifactsOfGrant(this.#db, this.#workspaceId, grantId)
  }

  #place(id: string) {
    return { workspaceId: this.#workspaceId, model: this.#model, id: this.#stored.idOf(id) }
  }

  async #find(key: OauthArtifactKey): Promise<AdapterPayload | undefined> {
    const now = this.#clock.now().getTime()
    // The provider has a word of its own for a device that comes too late, and looks at the expiry itself.
    const notExpiredAt = new Date(this.#model === 'DeviceCode' ? now - artifactKeptAfterExpiryMs : now)
    const storedKey = 'id' in key ? { id: this.#stored.idOf(key.id) } : key
    const payload = await findOauthArtifact(this.#db, this.#workspaceId, this.#model, storedKey, notExpiredAt)
    return payload && this.#stored.opened(payload, key)
  }
}

/** Clients are service principals, and those that come with Postern: read, never stored by the authorization server. */
export class ClientAdapter implements Adapter {
  readonly #findClient: (clientId: string) => Promise<ClientMetadata | undefined>

  constructor(findClient: (clientId: string) => Promise<ClientMetadata | undefined>) {
    this.#findClient = findClient
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    return this.#findClient(id)
  }

  async findByUid(): Promise<undefined> {}

  async findByUserCode(): Promise<undefined> {}

  upsert(): Promise<never> {
    return readOnly()
  }

  consume(): Promise<never> {
    return readOnly()
  }

  destroy(): Promise<never> {
    return readOnly()
  }

  revokeByGrantId(): Promise<never> {
    return readOnly()
  }
}

async function readOnly(): Promise<never> {
  throw new Error('the authorization server changes no client')
}
