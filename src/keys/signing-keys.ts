/**
 * The signing keys of all workspaces, opened and kept in memory. Per workspace and purpose a key goes through three phases:
 *
 * ```
 * next ─ activeFrom ► current ─ activeFrom of the newer one ► previous ─ verifyUntil ► gone
 *   published, does not sign     signs                          still verifies
 * ```
 *
 * The phase is computed from the clock, so that every node changes over at the same moment without being told.
 */
import type { JsonWebKey } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { SigningKeyPair, VerificationKey } from '../crypto/jwt.ts'
import type { MasterKey } from '../crypto/master-key.ts'
import { listSigningKeys, signingKeysChannel, type SigningKeyRow } from '../store/signing-keys.ts'
import type { Store } from '../store/store.ts'
import { openSigningKey, type SigningKeyPurpose } from './stored-signing-key.ts'

export type { SigningKeyPurpose } from './stored-signing-key.ts'

export type SigningKeyPhase = 'next' | 'current' | 'previous'

/** A signing key as an administrator sees it. */
export interface SigningKeyState {
  readonly id: string
  readonly purpose: SigningKeyPurpose
  readonly phase: SigningKeyPhase
  readonly activeFrom: Date
  /** Null while no newer key takes over. */
  readonly verifyUntil: Date | null
}

interface OpenedKey {
  readonly row: SigningKeyRow
  readonly pair: SigningKeyPair
}

/**
 * The opened signing keys of all workspaces: which one signs now, which ones verify, and what is published. Lookups read memory
 * only; `refresh` or `follow` brings it up to date.
 */
export class SigningKeys {
  readonly #store: Store
  readonly #masterKey: MasterKey
  readonly #clock: Clock
  #byKid: ReadonlyMap<string, OpenedKey> = new Map()
  /** Oldest first. */
  #byUse: ReadonlyMap<string, readonly OpenedKey[]> = new Map()
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  private constructor(store: Store, masterKey: MasterKey, clock: Clock) {
    this.#store = store
    this.#masterKey = masterKey
    this.#clock = clock
  }

  /** Knows no key until the first `refresh`: for a process that may have to wait for the store. */
  static unread(store: Store, masterKey: MasterKey, clock: Clock): SigningKeys {
    return new SigningKeys(store, masterKey, clock)
  }

  /**
   * Reads and opens every key.
   * @throws PosternError SECRET_UNREADABLE when one does not open: a key that was tampered with must not go unnoticed
   */
  static async load(store: Store, masterKey: MasterKey, clock: Clock): Promise<SigningKeys> {
    const keys = SigningKeys.unread(store, masterKey, clock)
    await keys.refresh()
    return keys
  }

  /** Reads again. Calls made while a read is under way share the one after it; when that fails, the known keys stay. */
  refresh(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined) // its own callers hear of it
      .then(() => {
        this.#next = undefined
        this.#running = this.#read()
        return this.#running
      })
    return this.#next
  }

  /**
   * Refreshes whenever a process changes a key, and after every lost session to the store.
   * @param onError hears of a refresh that failed; the next notification tries again
   * @returns stops following
   */
  follow(onError: (error: unknown) => void): Promise<() => Promise<void>> {
    const refresh = () => void this.refresh().catch(onError)
    return this.#store.listen(signingKeysChannel, refresh, refresh)
  }

  /** The key that signs now. Every workspace has one for each purpose from its first moment. */
  current(workspaceId: WorkspaceId, purpose: SigningKeyPurpose): SigningKeyPair {
    const keys = this.#byUse.get(useOf(workspaceId, purpose)) ?? []
    const now = this.#clock.now()
    // The first key of a workspace signs at once, also on a node whose clock is behind the one that made it.
    const current = keys.findLast(({ row }) => row.activeFrom <= now) ?? keys[0]
    if (current === undefined) throw new Error(`workspace ${workspaceId} has no signing key for ${purpose}`)
    return current.pair
  }

  /** The key that a token names, if what it signs for this purpose is to be believed now. Costs one look-up. */
  find(
    kid: string,
    purpose: SigningKeyPurpose,
  ): { readonly workspaceId: WorkspaceId; readonly publicKey: VerificationKey } | undefined {
    const key = this.#byKid.get(kid)
    if (key === undefined || key.row.purpose !== purpose || isGone(key, this.#clock.now())) return undefined
    return { workspaceId: key.row.workspaceId, publicKey: key.pair.publicKey }
  }

  /** What others verify with: previous, current and next (RFC 7517 section 5). */
  jwks(workspaceId: WorkspaceId, purpose: SigningKeyPurpose): { readonly keys: readonly JsonWebKey[] } {
    const now = this.#clock.now()
    const keys = this.#byUse.get(useOf(workspaceId, purpose)) ?? []
    return { keys: keys.filter((key) => !isGone(key, now)).map((key) => key.pair.publicJwk) }
  }

  /** The keys of a workspace, oldest first. */
  list(workspaceId: WorkspaceId): readonly SigningKeyState[] {
    const now = this.#clock.now()
    return [...this.#byKid.values()]
      .filter((key) => key.row.workspaceId === workspaceId && !isGone(key, now))
      .map(({ row, pair }) => ({
        id: row.id,
        purpose: row.purpose,
        phase: row.activeFrom > now ? 'next' : pair === this.current(workspaceId, row.purpose) ? 'current' : 'previous',
        activeFrom: row.activeFrom,
        verifyUntil: row.verifyUntil,
      }))
  }

  async #read(): Promise<void> {
    const byKid = new Map<string, OpenedKey>()
    const byUse = new Map<string, OpenedKey[]>()
    for (const row of await listSigningKeys(this.#store.db)) {
      const key = { row, pair: openSigningKey(this.#masterKey, row) }
      byKid.set(key.pair.kid, key)
      const use = useOf(row.workspaceId, row.purpose)
      byUse.set(use, [...(byUse.get(use) ?? []), key])
    }
    this.#byKid = byKid
    this.#byUse = byUse
  }
}

function isGone({ row }: OpenedKey, now: Date): boolean {
  return row.verifyUntil !== null && row.verifyUntil <= now
}

function useOf(workspaceId: WorkspaceId, purpose: SigningKeyPurpose): string {
  return `${workspaceId} ${purpose}`
}
