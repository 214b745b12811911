import type { FastifyBaseLogger } from 'fastify'
import type { issueDatabaseCredential } from '../access/mint-credential.ts'
import type { WorkspaceId } from '../base/ids.ts'
import type { InstanceDependencies } from '../instances/instance-dependencies.ts'
import type { Config } from '../config/parse-config.ts'
import type { Resealed } from '../keys/reseal-store.ts'
import type { SqlDependencies } from '../sql/sql-dependencies.ts'
import type { HttpMetrics } from '../telemetry/metrics.ts'
import type { AuthorizationServerDependencies } from '../oauth/authorization-server.ts'

/** What the control plane's HTTP surface needs: what the domain functions that it calls need. */
export type HttpDependencies = Parameters<typeof issueDatabaseCredential>[0] &
  Pick<AuthorizationServerDependencies, 'store' | 'clock' | 'signingKeys' | 'masterKey'> &
  InstanceDependencies &
  SqlDependencies & {
    readonly logger: FastifyBaseLogger
    readonly metrics: HttpMetrics
    /** The workspace that this node's own addresses select. */
    readonly workspaceId: WorkspaceId
    /** Where clients reach the gateway, for connection settings. */
    readonly gatewayPort: number
    /** PEM of what clients of the gateway trust; asked for at each use, since it may be replaced. */
    readonly gatewayCa: () => string
    /** Exchanges the master key of the deployment. */
    readonly rotateMasterKey: () => Promise<Resealed>
  }

/** The options that shape it. */
export type HttpOptions = Pick<
  Config,
  | 'httpHost'
  | 'httpPort'
  | 'httpTlsCert'
  | 'httpTlsKey'
  | 'httpBehindTlsProxy'
  | 'httpPasswordGrant'
  | 'trustedProxies'
  | 'publicUrl'
>
