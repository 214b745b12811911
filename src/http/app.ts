import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import helmet from '@fastify/helmet'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { PosternError } from '../base/errors.ts'
import { SignInThrottle } from '../identity/sign-in-throttle.ts'
import { WorkspaceDirectory } from '../identity/workspace-directory.ts'
import { AuthorizationServers } from '../oauth/authorization-server.ts'
import { loadProvider } from '../oauth/load-provider.ts'
import { authenticate } from './authenticate.ts'
import { databaseCredentialRoutes } from './databricks/database-credentials.ts'
import type { HttpDependencies, HttpOptions } from './http-dependencies.ts'
import { describeApi, openApiRoutes } from './openapi.ts'
import { asRequestError, failureAnswer } from './problem.ts'
import { type AddRoutes, decorateWithActor, type HttpApp, setActor } from './route.ts'
import { auditEventRoutes } from './routes/audit-events.ts'
import { authorizationServerRoutes } from './routes/authorization-server.ts'
import { homeRoutes, homeStyleHash } from './routes/home.ts'
import { instanceRoutes } from './routes/instances.ts'
import { meRoutes } from './routes/me.ts'
import { postgresRoleRoutes } from './routes/postgres-roles.ts'
import { probeRoutes } from './routes/probes.ts'
import { servicePrincipalSecretRoutes } from './routes/service-principal-secrets.ts'
import { servicePrincipalRoutes } from './routes/service-principals.ts'
import { signingKeyRoutes } from './routes/signing-keys.ts'
import { RequestWorkspaces } from './workspace-of-request.ts'

export type { HttpDependencies, HttpOptions } from './http-dependencies.ts'

/** Routes that need an access token, resource by resource. To add one: a file in routes/ or databricks/, and a name here. */
const authenticatedRoutes: readonly AddRoutes[] = [
  meRoutes,
  servicePrincipalRoutes,
  servicePrincipalSecretRoutes,
  instanceRoutes,
  postgresRoleRoutes,
  auditEventRoutes,
  signingKeyRoutes,
  databaseCredentialRoutes,
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
 * @throws PosternError CONFIG_INVALID for an address that is not loopback without TLS, unless a proxy in front ends it
 */
export async function createHttpApp(deps: HttpDependencies, options: HttpOptions): Promise<HttpApp> {
  requireSafeAddress(options)
  const tls = tlsOf(options)
  const app: HttpApp = Fastify({
    ...(tls && { https: tls }),
    http: { maxHeaderSize: headersMaxBytes },
    loggerInstance: deps.logger,
    logController: new Fastify.LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    genReqId: (request: IncomingMessage) => requestIdFrom(request.headers['x-request-id']),
    requestIdHeader: false,
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    clientErrorHandler: answerUnreadable,
  } as object).withTypeProvider<ZodTypeProvider>() as unknown as HttpApp
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  acceptEmptyJson(app)
  protectAnswers(app, tls !== undefined || options.httpBehindTlsProxy)
  logAnswers(app)
  answerFailures(app)
  decorateWithActor(app)
  describeApi(app)

  const directory = new WorkspaceDirectory(deps)
  const own = { workspaceId: deps.workspaceId, publicUrl: options.publicUrl, isTls: tls !== undefined }
  const workspaces = new RequestWorkspaces(app, directory, own)
  const authorizationServers = new AuthorizationServers(await loadProvider(), {
    ...deps,
    throttle: new SignInThrottle((delayMs) => wait(delayMs)),
    isPasswordGrantOffered: options.httpPasswordGrant,
    onServerError: (error) => deps.logger.error({ err: error }, 'authorization server failed'),
  })
  app.register(async (open: HttpApp) => {
    probeRoutes(open, deps)
    homeRoutes(open, { workspaces })
    openApiRoutes(open)
    authorizationServerRoutes(open, { authorizationServers, workspaces })
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
  })
  return app
}

function requireSafeAddress({ httpHost, httpTlsCert, httpBehindTlsProxy }: HttpOptions): void {
  const isLoopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(httpHost)
  if (isLoopback || httpTlsCert !== undefined || httpBehindTlsProxy) return
  throw new PosternError('CONFIG_INVALID', `httpHost: plain HTTP is served on loopback only, not on ${httpHost}`)
}

function tlsOf({ httpTlsCert, httpTlsKey }: HttpOptions): { cert: Buffer; key: Buffer } | undefined {
  if (httpTlsCert === undefined || httpTlsKey === undefined) return undefined
  return { cert: readFileSync(httpTlsCert), key: readFileSync(httpTlsKey) }
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
    else parse(request, body as string, done)
  })
}

function protectAnswers(app: HttpApp, isTls: boolean): void {
  app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        styleSrc: [homeStyleHash],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    // On plain loopback HTTP it would send browsers to an https that is not there.
    strictTransportSecurity: isTls,
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('cache-control', 'no-store')
  })
}

/** One line per answered request: route and status, never a query or a header, which may hold what is nobody's business. */
function logAnswers(app: HttpApp): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, id: requestId, routeOptions } = request
    const fields = { requestId, method, route: routeOptions.url ?? 'none', status: reply.statusCode }
    request.log.info({ ...fields, elapsedMs: Math.round(reply.elapsedTime) }, 'answered')
  })
}

/** Answers bytes that never became a request, in the shape of every other failure, and ends the connection. */
function answerUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) return
  const isTooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const failure = isTooLarge
    ? new PosternError('REQUEST_TOO_LARGE', 'The headers of the request are too large')
    : new PosternError('MALFORMED_REQUEST', 'This is not an HTTP request')
  const { body, contentType } = failureAnswer(failure, { path: '', id: randomUUID() })
  const status = isTooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const text = JSON.stringify({ ...body, status: isTooLarge ? 431 : 400 })
  const head = `HTTP/1.1 ${status}\r\nContent-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close`
  socket.end(`${head}\r\n\r\n${text}`)
}

function answerFailures(app: HttpApp): void {
  const answer = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const error = asRequestError(thrown)
    if (error.row.http >= 500) request.log.error({ requestId: request.id, err: thrown }, 'request failed')
    const { status, headers, contentType, body } = failureAnswer(error, { path: request.url, id: request.id })
    // The text is final: a route's answer schema must not cut fields out of a failure.
    return reply.code(status).headers(headers).type(contentType).serializer(JSON.stringify).send(body)
  }
  app.setErrorHandler(answer)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]
    return answer(new PosternError('NOT_FOUND', `${request.method} ${path} does not exist`), request, reply)
  })
}
