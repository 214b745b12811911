import type { WorkspaceId } from '../base/ids.ts'
import type { Store } from '../store/store.ts'
import { listWorkspaces } from '../store/workspaces.ts'

const REFRESH_MS = 10_000

/** Which workspace a gateway domain belongs to: asked at every login, so it is answered from memory. */
export class GatewayDomains {
  readonly #store: Store
  readonly #onError: (error: unknown) => void
  #byDomain: ReadonlyMap<string, WorkspaceId> = new Map()
  #timer: ReturnType<typeof setInterval> | undefined

  /** @param onError hears of a refresh that failed; what was known stays known */
  constructor(store: Store, onError: (error: unknown) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** Reads them, and again from time to time; may be repeated when it failed. */
  async load(): Promise<void> {
    await this.#read()
    this.#timer ??= setInterval(() => void this.#read().catch(this.#onError), REFRESH_MS)
  }

  find(domain: string): WorkspaceId | undefined {
    return this.#byDomain.get(domain.toLowerCase())
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #read(): Promise<void> {
    const workspaces = await listWorkspaces(this.#store.db)
    this.#byDomain = new Map(workspaces.map(({ id, gatewayDomain }) => [gatewayDomain.toLowerCase(), id]))
  }
}
