import type { AddressInfo } from 'node:net'
import { AuditWriter } from '../audit/audit-writer.ts'
import { PosternError } from '../base/errors.ts'
import { readSurroundings } from '../dialer/same-host-advice.ts'
import { createHttpApp } from '../http/app.ts'
import { oauthSweeps } from '../jobs/oauth-sweeps.ts'
import { listWorkspaces } from '../store/workspaces.ts'
import { HttpMetrics } from '../telemetry/metrics.ts'
import { type RunningRole, runChild } from './child-main.ts'
import type { ChildBootstrap } from './child-messages.ts'
import { composeShared } from './compose.ts'
import { composeSql } from './compose-sql.ts'
import { masterKeyRotation } from './master-key-rotation.ts'
import { listenUnprivileged } from './listen-unprivileged.ts'
import { type MetricsListener, serveMetrics } from './serve-metrics.ts'

/** A request waits for its audit record; the store's own limit on statements is longer. */
const AUDIT_DEADLINE_MS = 5_000

/** `postern control`: the HTTP API and the authorization servers, as a child of `postern serve`. */
export function control(): Promise<void> {
  return runChild(startControl)
}

async function startControl(bootstrap: ChildBootstrap): Promise<RunningRole> {
  const { config } = bootstrap
  const shared = await composeShared(bootstrap, 'control')
  await shared.load()
  const audit = new AuditWriter({ store: shared.store, deadlineMs: AUDIT_DEADLINE_MS })
  const workspace = (await listWorkspaces(shared.store.db)).find(({ name }) => name === config.workspaceName)
  if (!workspace) throw new PosternError('INTERNAL', `The workspace ${config.workspaceName} is missing.`)
  let { gatewayCaPem } = bootstrap
  const metrics = new HttpMetrics()
  const sql = composeSql(shared, bootstrap)
  const sweeps = oauthSweeps(shared)
  const app = await createHttpApp(
    {
      ...shared,
      ...sql.deps,
      audit,
      gatewayCa: () => gatewayCaPem,
      rotateMasterKey: masterKeyRotation(),
      metrics,
      workspaceId: workspace.id,
      localNodeId: bootstrap.nodeId,
      gatewayPort: config.gatewayPort,
      egressAddresses: config.egressAddresses,
      surroundings: readSurroundings(),
    },
    config,
  )
  const address = { host: config.httpHost, port: config.httpPort }
  await app.ready()
  await listenUnprivileged(bootstrap, address, () => app.listen(address))
  await sql.start()
  sweeps.start()
  const { metricsHost, metricsPort } = config
  const prometheus = metricsPort === undefined ? undefined : await listenForPrometheus(metricsHost, metricsPort)
  return {
    metrics,
    port: (app.server.address() as AddressInfo).port,
    setMasterKeys: shared.setMasterKeys,
    setGatewayCa(pem) {
      gatewayCaPem = pem
    },
    async drain(timeoutMs) {
      sweeps.stop()
      prometheus?.close()
      await Promise.all([sql.close(timeoutMs), app.close()])
      await audit.close()
      await shared.close()
    },
  }
}

function listenForPrometheus(host: string, port: number): Promise<MetricsListener> {
  return serveMetrics({ host, port }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE') throw cause
    throw new PosternError('PORT_IN_USE', `Another process listens on ${host}:${port}.`, {
      hint: 'Choose another --metrics-port.',
      cause,
    })
  })
}
