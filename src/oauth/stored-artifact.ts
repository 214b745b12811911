import { createHash } from 'node:crypto'
import type { AdapterPayload } from 'oidc-provider'
import type { WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { open, seal } from '../crypto/seal.ts'
import type { OauthArtifactKey } from '../store/oauth-artifacts.ts'

/** Artifacts whose id is what a client shows: whoever read it in the store could show it too. */
const shownByClients = new Set(['AuthorizationCode', 'RefreshToken', 'DeviceCode'])

/**
 * How an artifact of one model stands in the store: a code or token under the hash of what a client shows, and nowhere in
 * clear. 256 random bits need no salt. A device code is also looked up by the short code that a person types, and waits in a
 * request: there it is sealed. (Ids of sessions and requests are worth nothing without the signature of their cookie.)
 */
export class StoredArtifact {
  readonly #masterKey: MasterKey
  readonly #workspaceId: WorkspaceId
  readonly #model: string

  constructor(masterKey: MasterKey, workspaceId: WorkspaceId, model: string) {
    this.#masterKey = masterKey
    this.#workspaceId = workspaceId
    this.#model = model
  }

  /** The id under which it is stored. */
  idOf(id: string): string {
    return shownByClients.has(this.#model) ? createHash('sha256').update(id).digest('base64url') : id
  }

  /** What is stored of it. */
  closed(id: string, payload: AdapterPayload): AdapterPayload {
    if (this.#model === 'Interaction') return this.#withDeviceCode(id, payload, (code, row) => this.#seal(code, row))
    if (!shownByClients.has(this.#model)) return payload
    const { jti: _shown, ...rest } = payload
    if (this.#model !== 'DeviceCode') return rest
    return { ...rest, sealedId: this.#seal(id, payload.userCode ?? '') }
  }

  /** What was stored of it, as it was before. */
  opened(payload: AdapterPayload, key: OauthArtifactKey): AdapterPayload {
    if (this.#model === 'Interaction' && 'id' in key) {
      return this.#withDeviceCode(key.id, payload, (code, row) => this.#open(code, row))
    }
    if (!shownByClients.has(this.#model)) return payload
    const { sealedId, ...rest } = payload as AdapterPayload & { readonly sealedId?: string }
    const id = 'id' in key ? key.id : this.#open(sealedId ?? '', payload.userCode ?? '')
    return { ...rest, jti: id }
  }

  #withDeviceCode(id: string, payload: AdapterPayload, change: (code: string, row: string) => string): AdapterPayload {
    const { deviceCode } = payload
    return typeof deviceCode === 'string' ? { ...payload, deviceCode: change(deviceCode, id) } : payload
  }

  #seal(code: string, row: string): string {
    return seal(this.#masterKey, new Secret(code), this.#placeOf(row)).toString('base64url')
  }

  #open(sealed: string, row: string): string {
    return open(this.#masterKey, Buffer.from(sealed, 'base64url'), this.#placeOf(row)).reveal()
  }

  #placeOf(row: string) {
    return { table: 'oauth_artifact', row: `${this.#workspaceId} ${this.#model} ${row}`, field: 'device code' }
  }
}
