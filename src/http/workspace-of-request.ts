import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { Workspace, WorkspaceDirectory } from '../identity/workspace-directory.ts'

/** Selects the workspace of a request by its Host header, and knows under which address each workspace is reached. */
export class RequestWorkspaces {
  readonly #app: FastifyInstance
  readonly #directory: WorkspaceDirectory
  readonly #own: { readonly workspaceId: WorkspaceId; readonly publicUrl: string | undefined; readonly isTls: boolean }

  /** @param own the workspace that loopback names and `publicUrl` select; the others are selected by the hosts they list */
  constructor(
    app: FastifyInstance,
    directory: WorkspaceDirectory,
    own: { readonly workspaceId: WorkspaceId; readonly publicUrl: string | undefined; readonly isTls: boolean },
  ) {
    this.#app = app
    this.#directory = directory
    this.#own = own
  }

  /**
   * The workspace whose host the request names exactly. A page of another site that resolves its own name to this address
   * sends its own name, so it reaches nothing. Forwarded headers count only from trusted proxies (fastify's trustProxy).
   * @throws PosternError NOT_FOUND for a host that is nobody's
   */
  async of(request: FastifyRequest): Promise<Workspace> {
    const host = request.host.toLowerCase()
    const workspace = this.#ownHosts().includes(host)
      ? await this.#directory.byId(this.#own.workspaceId)
      : await this.#directory.byHost(host)
    if (workspace === undefined) {
      throw new PosternError('NOT_FOUND', 'No workspace is served under this host name', {
        hint: 'Use the address that the administrator gave, or set publicUrl to the one in use.',
      })
    }
    return workspace
  }

  /** `https://host` of the workspace: the same at every request, whatever name it came by, since tokens carry it. */
  originOf(workspace: Workspace): string {
    const [host] = workspace.hosts
    if (workspace.id === this.#own.workspaceId || host === undefined) return this.#ownOrigin()
    return `${new URL(this.#ownOrigin()).protocol}//${host}`
  }

  #ownOrigin(): string {
    if (this.#own.publicUrl !== undefined) return new URL(this.#own.publicUrl).origin
    const { address, port } = this.#address()
    const host = address.includes(':') ? `[${address}]` : address
    return new URL(`${this.#own.isTls ? 'https' : 'http'}://${host}:${port}`).origin
  }

  #ownHosts(): string[] {
    const { port } = this.#address()
    const local = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`)
    const ownHost = new URL(this.#ownOrigin()).host
    return [ownHost, ...local]
  }

  // Asked at each request rather than kept: port 0 becomes a port only once the server listens.
  #address(): { readonly address: string; readonly port: number } {
    const bound = this.#app.server.address() as AddressInfo | null
    return bound ?? { address: '127.0.0.1', port: 80 }
  }
}
