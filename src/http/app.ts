import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify, { type FastifyRequest } from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Clock } from '../base/clock.ts'
import { PosternError } from '../base/errors.ts'
import { isLoopbackHost } from '../config/ip-address.ts'
import { loadTlsFiles } from '../keys/tls-files.ts'
import { SignInThrottle } from '../identity/sign-in-throttle.ts'
import { WorkspaceDirectory } from '../identity/workspace-directory.ts'
import { AuthorizationServers } from '../oauth/authorization-server.ts'
import { loadProvider } from '../oauth/load-provider.ts'
import { answerFailures, answerUnreadable } from './answer-failures.ts'
import { authenticate } from './authenticate.ts'
import { databaseCredentialRoutes } from './databricks/database-credentials.ts'
import { databaseInstanceRoleRoutes } from './databricks/database-instance-roles.ts'
import { databaseInstanceRoutes } from './databricks/database-instances.ts'
import { instanceAclRoutes } from './databricks/instance-permissions.ts'
import { outsideServiceRoutes } from './databricks/outside-services.ts'
import { postgresProjectRoutes } from './databricks/postgres-projects.ts'
import { scimRoutes } from './databricks/scim/scim-routes.ts'
import { compileValidator } from './field-errors.ts'
import { refuseForeignOrigins } from './foreign-origin.ts'
import type { HttpDependencies, HttpOptions } from './http-dependencies.ts'
import { originForm, requireOneHost } from './one-host.ts'
import { describeApi, openApiRoutes } from './openapi.ts'
import { type AddRoutes, decorateWithActor, type HttpApp, setActor } from './route.ts'
import { auditEventRoutes } from './routes/audit-events.ts'
import { authorizationServerRoutes } from './routes/authorization-server.ts'
import { dataSourceRoutes } from './routes/data-sources.ts'
import { ownDatabaseCredentialRoutes } from './routes/database-credentials.ts'
import { engineRoutes } from './routes/engines.ts'
import { catalogRoutes } from './routes/catalog.ts'
import { federationPolicyRoutes } from './routes/federation-policies.ts'
import { groupMemberRoutes } from './routes/group-members.ts'
import { groupRoutes } from './routes/groups.ts'
import { gatewayRoutes } from './routes/gateway.ts'
import { homeRoutes } from './routes/home.ts'
import { instancePermissionRoutes } from './routes/instance-permissions.ts'
import { instanceRoutes } from './routes/instances.ts'
import { meRoutes } from './routes/me.ts'
import { passwordResetRoutes, passwordRoutes } from './routes/passwords.ts'
import { postgresRoleRoutes } from './routes/postgres-roles.ts'
import { probeRoutes } from './routes/probes.ts'
import { servicePrincipalSecretRoutes } from './routes/service-principal-secrets.ts'
import { servicePrincipalRoutes } from './routes/service-principals.ts'
import { masterKeyRoutes } from './routes/master-key.ts'
import { setupGuideRoutes } from './routes/setup-guides.ts'
import { signingKeyRoutes } from './routes/signing-keys.ts'
import { sqlRoutes } from './routes/sql.ts'
import { sshKeyRoutes } from './routes/ssh-keys.ts'
import { ssoProviderRoutes } from './routes/sso-providers.ts'
import { ssoSignInRoutes } from './routes/sso-sign-in.ts'
import { syncRoutes } from './routes/sync.ts'
import { userRoutes } from './routes/users.ts'
import { workspaceAssignmentRoutes } from './routes/workspace-assignments.ts'
import { workspaceRoutes } from './routes/workspaces.ts'
import { addSecurityHeaders } from './security-headers.ts'
import { RequestWorkspaces } from './workspace-of-request.ts'

export type { HttpDependencies, HttpOptions } from './http-dependencies.ts'

/** Routes that need an access token, resource by resource. To add one: a file in routes/ or databricks/, and a name here. */
const authenticatedRoutes: readonly AddRoutes[] = [
  meRoutes,
  gatewayRoutes,
  userRoutes,
  groupRoutes,
  groupMemberRoutes,
  workspaceRoutes,
  workspaceAssignmentRoutes,
  servicePrincipalRoutes,
  servicePrincipalSecretRoutes,
  federationPolicyRoutes,
  instanceRoutes,
  instancePermissionRoutes,
  dataSourceRoutes,
  sshKeyRoutes,
  engineRoutes,
  setupGuideRoutes,
  syncRoutes,
  catalogRoutes,
  sqlRoutes,
  postgresRoleRoutes,
  auditEventRoutes,
  signingKeyRoutes,
  masterKeyRoutes,
  ownDatabaseCredentialRoutes,
  scimRoutes,
  databaseCredentialRoutes,
  databaseInstanceRoutes,
  databaseInstanceRoleRoutes,
  instanceAclRoutes,
  postgresProjectRoutes,
  outsideServiceRoutes,
]

const bodyLimitBytes = 1024 * 1024
const headersMaxBytes = 16 * 1024
const requestTimeoutMs = 30_000
// Longer than the usual 60 s of load balancers, so that they and not this side end an idle connection.
const keepAliveTimeoutMs = 65_000

/**
 * The control plane over HTTP: API, authorization server, probes and the page at `/`. Every request belongs to the workspace
 * that its Host header names exactly, and is answered with its request id. Call `listen({ host: options.httpHost, port:
 * options.httpPort })` on it; `close()` answers what has begun and ends.
 *
 * @throws PosternError CONFIG_INVALID for an address that is not loopback without TLS, unless a proxy in front ends it, and for
 *   TLS files that do not fit together
 */
export async function createHttpApp(deps: HttpDependencies, options: HttpOptions): Promise<HttpApp> {
  requireSafeAddress(options)
  const tls = tlsOf(options, deps.clock)
  const app: HttpApp = Fastify({
    ...(tls ? { https: { ...tls, maxHeaderSize: headersMaxBytes } } : { http: { maxHeaderSize: headersMaxBytes } }),
    loggerInstance: deps.logger,
    logController: new Fastify.LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    genReqId: (request: IncomingMessage) => requestIdFrom(request.headers['x-request-id']),
    requestIdHeader: false,
    rewriteUrl: originForm,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    clientErrorHandler: answerUnreadable,
  } as object).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(compileValidator)
  app.setSerializerCompiler(serializerCompiler)
  acceptEmptyJson(app)
  addSecurityHeaders(app, tls !== undefined || options.httpBehindTlsProxy)
  logAnswers(app, deps)
  answerFailures(app)
  requireOneHost(app)
  refuseForeignOrigins(app)
  decorateWithActor(app)
  describeApi(app)

  const directory = new WorkspaceDirectory(deps)
  const own = { workspaceId: deps.workspaceId, publicUrl: options.publicUrl, isTls: tls !== undefined }
  const workspaces = new RequestWorkspaces(app, directory, own)
  const throttle = new SignInThrottle((delayMs) => wait(delayMs))
  const authorizationServers = new AuthorizationServers(await loadProvider(), {
    ...deps,
    throttle,
    isPasswordGrantOffered: options.httpPasswordGrant,
    onServerError: (error) => deps.logger.error({ err: error }, 'authorization server failed'),
  })
  app.register(async (open: HttpApp) => {
    probeRoutes(open, deps)
    homeRoutes(open, { workspaces, gatewayPort: deps.gatewayPort })
    openApiRoutes(open)
    passwordResetRoutes(open, { ...deps, throttle, workspaces })
    authorizationServerRoutes(open, { authorizationServers, workspaces })
    ssoSignInRoutes(open, { ...deps, authorizationServers, workspaces })
  })
  app.register(async (api: HttpApp) => {
    // Before the body is read: nobody unknown makes this process parse anything.
    api.addHook('onRequest', async (request: FastifyRequest) =>
      setActor(request, await authenticate({ ...deps, workspaces }, request)),
    )
    api.addHook('onRoute', (route) => {
      route.schema = { ...route.schema, security: [{ accessToken: [] }] }
    })
    for (const addRoutes of authenticatedRoutes) addRoutes(api, deps)
    passwordRoutes(api, { ...deps, throttle })
    ssoProviderRoutes(api, { ...deps, workspaces })
  })
  return app
}

function requireSafeAddress({ httpHost, httpTlsCert, httpBehindTlsProxy }: HttpOptions): void {
  if (isLoopbackHost(httpHost) || httpTlsCert !== undefined || httpBehindTlsProxy) return
  throw new PosternError('CONFIG_INVALID', `httpHost: plain HTTP is served on loopback only, not on ${httpHost}`)
}

function tlsOf({ httpTlsCert, httpTlsKey }: HttpOptions, clock: Clock): { cert: string; key: string } | undefined {
  if (httpTlsCert === undefined || httpTlsKey === undefined) return undefined
  const { certificateChainPem, privateKeyPem } = loadTlsFiles(httpTlsCert, httpTlsKey, clock.now())
  return { cert: certificateChainPem, key: privateKeyPem }
}

/** A caller's own id is kept when it is one, so that its logs and ours meet; otherwise a new one. */
function requestIdFrom(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{8,128}$/.test(header) ? header : randomUUID()
}

/** Real clients send `content-type: application/json` with an empty body where there is nothing to say. */
function acceptEmptyJson(app: HttpApp): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}

/** One line per answered request: route and status, never a query or a header, which may hold what is nobody's business. */
function logAnswers(app: HttpApp, { metrics }: HttpDependencies): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    const fields = { method, route: routeOptions.url ?? 'none', status: reply.statusCode }
    request.log.info({ ...fields, elapsedMs: Math.round(reply.elapsedTime) }, 'answered')
    metrics.answered(fields, reply.elapsedTime)
  })
}
