import type { WorkspaceId } from '../base/ids.ts'
import type { Store } from '../store/store.ts'
import { listWorkspaces } from '../store/workspaces.ts'

const REFRESH_MS = 10_000

/** Which workspace a gateway domain belongs to: asked at every login, so it is answered from memory. */
export class GatewayDomains {
  #byDomain: ReadonlyMap<string, WorkspaceId> = new Map()
  #timer: ReturnType<typeof setInterval> | undefined

  private constructor() {}

  /** @param onError hears of a refresh that failed; what was known stays known */
  static async load(store: Store, onError: (error: unknown) => void): Promise<GatewayDomains> {
    const domains = new GatewayDomains()
    const read = async (): Promise<void> => {
      const workspaces = await listWorkspaces(store.db)
      domains.#byDomain = new Map(workspaces.map(({ id, gatewayDomain }) => [gatewayDomain.toLowerCase(), id]))
    }
    await read()
    domains.#timer = setInterval(() => void read().catch(onError), REFRESH_MS)
    return domains
  }

  find(domain: string): WorkspaceId | undefined {
    return this.#byDomain.get(domain.toLowerCase())
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
