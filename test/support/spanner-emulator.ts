import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SPANNER_EMULATOR } from './requirements.ts'

/** The emulator of Google's Cloud SDK. Its REST address takes everything that Spanner's own does, but knows no identities. */
export interface SpannerEmulator {
  readonly port: number
  /** Makes an instance and its databases, and waits for them. */
  createInstance(projectId: string, instanceId: string): Promise<void>
  createDatabase(instance: string, body: Readonly<Record<string, unknown>>): Promise<void>
  stop(): Promise<void>
}

export async function startSpannerEmulator(): Promise<SpannerEmulator> {
  const folder = mkdtempSync(join(tmpdir(), 'spanner-emulator-'))
  const [port, grpcPort] = [await freePort(), await freePort()]
  // A group of its own: the gateway does not end the emulator that it starts.
  const server = spawn(
    `${SPANNER_EMULATOR}/gateway_main`,
    ['--hostname', '127.0.0.1', '--http_port', String(port), '--grpc_port', String(grpcPort)].concat([
      '--grpc_binary',
      `${SPANNER_EMULATOR}/emulator_main`,
    ]),
    { cwd: folder, detached: true, stdio: 'ignore' },
  )
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  const api = `http://127.0.0.1:${port}/v1`
  await waitUntilReady(api, server)
  const post = async (path: string, body: unknown): Promise<void> => {
    const answer = await fetch(`${api}/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`the emulator refused ${path}: ${await answer.text()}`)
  }
  return {
    port,
    createInstance: (projectId, instanceId) =>
      post(`projects/${projectId}/instances`, {
        instanceId,
        instance: { config: 'emulator-config', displayName: instanceId, nodeCount: 1 },
      }),
    createDatabase: (instance, body) => post(`${instance}/databases`, body),
    async stop() {
      if (server.pid !== undefined && server.exitCode === null) process.kill(-server.pid, 'SIGKILL')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function waitUntilReady(api: string, server: { readonly exitCode: number | null }): Promise<void> {
  const deadlineAt = performance.now() + 30_000
  for (;;) {
    if (server.exitCode !== null) throw new Error('the emulator ended')
    if (
      await fetch(`${api}/projects/p-0/instances`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      return
    if (performance.now() > deadlineAt) throw new Error('the emulator did not start')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
