import type { Clock } from '../base/clock.ts'
import { withDeadline } from '../base/deadline.ts'
import type { WorkspaceId } from '../base/ids.ts'
import { withStoreErrors } from '../store/constraint-errors.ts'
import type { Store } from '../store/store.ts'
import { listWorkspaces, type WorkspaceRow } from '../store/workspaces.ts'

export type Workspace = WorkspaceRow

const freshForMs = 10_000
/** What is known is good enough for a request that would otherwise wait for a store that hangs. */
const patienceMs = 1_000

/**
 * Which workspace a Host header selects. Asked at every request, so it answers from memory and reads the store at most every
 * ten seconds; while the store is away it keeps what it knew.
 *
 * Methods throw PosternError STORE_UNAVAILABLE while nothing was ever read.
 */
export class WorkspaceDirectory {
  readonly #store: Store
  readonly #clock: Clock
  #workspaces: readonly Workspace[] = []
  #readAtMs = -Infinity
  #reading: Promise<void> | undefined

  constructor(deps: { readonly store: Store; readonly clock: Clock }) {
    this.#store = deps.store
    this.#clock = deps.clock
  }

  /** @param host lower-case `name` or `name:port`, compared exactly */
  async byHost(host: string): Promise<Workspace | undefined> {
    await this.#refresh()
    return this.#workspaces.find((workspace) => workspace.hosts.includes(host))
  }

  async byId(id: WorkspaceId): Promise<Workspace | undefined> {
    await this.#refresh()
    return this.#workspaces.find((workspace) => workspace.id === id)
  }

  async #refresh(): Promise<void> {
    const nowMs = this.#clock.now().getTime()
    if (nowMs - this.#readAtMs < freshForMs) return
    this.#reading ??= this.#read(nowMs).finally(() => (this.#reading = undefined))
    if (this.#workspaces.length === 0) return this.#reading
    await withDeadline(
      this.#reading,
      patienceMs,
      'STORE_UNAVAILABLE',
      'The metadata store did not answer in time',
    ).catch(() => undefined)
  }

  async #read(nowMs: number): Promise<void> {
    try {
      this.#workspaces = await withStoreErrors(listWorkspaces(this.#store.db))
      this.#readAtMs = nowMs
    } catch (thrown) {
      if (this.#workspaces.length === 0) throw thrown
      this.#readAtMs = nowMs // the store is away: known workspaces stay known, the next try is in ten seconds
    }
  }
}
