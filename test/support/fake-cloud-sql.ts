import { spawnSync } from 'node:child_process'
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls'
import { admitMysql, admitPostgres, type Admission } from './cloud-sql-login.ts'
import { isGoodAssertion } from './google-assertion.ts'
import { requireTool } from './requirements.ts'

/** Names, though they look like addresses. */
const ADMIN_SCOPE = ['https:', '', 'www.googleapis.com', 'auth', 'sqlservice.admin'].join('/')
const LOGIN_SCOPE = ADMIN_SCOPE.replace('admin', 'login')
const TUNNEL_PORT = 3307
/** Of every service account: making one costs. */
let keys: { readonly privateKey: KeyObject } | undefined

/** An instance of the fake, as its owner would describe it. */
export interface FakeInstance {
  readonly engine: 'postgres' | 'mysql'
  /** Of the database that stands behind it, on 127.0.0.1 and without TLS. */
  readonly backendPort: number
  /** A loopback address of its own: the port is always the same. */
  readonly address: string
  /** Database users of identities, by their e-mails. */
  readonly users: Map<string, string>
  readonly flags: Map<string, string>
  /** Asks an identity for its token as a password, beside the certificate. */
  asksPassword?: boolean
  /** Changes of what connectSettings answers. */
  settings?: Readonly<Record<string, unknown>>
}

/**
 * Google's token endpoint, the Cloud SQL Admin API, and the server side of instances, strict: assertions, scopes, paths, bodies and
 * client certificates are verified, and a database user of an identity is let in by a certificate that carries its login token alone.
 * The databases behind are real ones.
 */
export class FakeCloudSql {
  readonly requests: string[] = []
  /** Client certificates that were shown to any instance, their common names. */
  readonly shown: string[] = []
  /** What the API answers everything with, where it is set. */
  failWith: { readonly status: number; readonly body: object } | undefined
  readonly #instances = new Map<string, { readonly instance: FakeInstance; readonly server: TlsServer }>()
  readonly #accounts = new Map<string, KeyObject>()
  readonly #tokens = new Map<string, { readonly email: string; readonly scope: string }>()
  /** Fingerprint of an ephemeral certificate → instance, and who logs in with it. */
  readonly #certificates = new Map<string, { readonly instance: string; readonly loginEmail: string | undefined }>()
  readonly #folder = mkdtempSync(join(tmpdir(), 'fake-cloud-sql-'))
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((request, response) => void this.#answer(request, response))
  origin = ''

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    this.origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this.origin
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const { server } of this.#instances.values()) server.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get tokenUri(): string {
    return `${this.origin}/token`
  }

  /** @param name `project:region:instance` */
  async addInstance(name: string, instance: FakeInstance): Promise<void> {
    const [project = '', , id = ''] = name.split(':')
    this.#makeAuthority(id)
    const { cert, key } = this.#serverCertificate(id, `${project}:${id}`)
    const server = createTlsServer(
      { cert, key, ca: this.authorityOf(id), requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
      (socket) => this.#serve(name, instance, socket),
    )
    server.on('tlsClientError', () => undefined)
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(TUNNEL_PORT, instance.address, resolve)
    })
    this.#instances.set(name, { instance, server })
  }

  /** From now on the instance has the certificate of another one, signed by an authority of the same kind. */
  impersonate(name: string, commonName: string, withForeignAuthority: boolean): void {
    const own = name.split(':')[2] ?? ''
    const id = withForeignAuthority ? 'stranger' : own
    if (withForeignAuthority) this.#makeAuthority(id)
    const identity = this.#serverCertificate(id, commonName)
    this.#instances
      .get(name)
      ?.server.setSecureContext({ ...identity, ca: this.authorityOf(own), minVersion: 'TLSv1.3' })
  }

  /** PEM of the authority of an instance. */
  authorityOf(id: string): string {
    return readFileSync(join(this.#folder, `${id}-ca.pem`), 'utf8')
  }

  /** The key of a service account, as Google's console gives it out. */
  keyJson(email: string, changes: Readonly<Record<string, unknown>> = {}): string {
    const { privateKey } = (keys ??= generateKeyPairSync('rsa', { modulusLength: 2048 }))
    this.#accounts.set(email, createPublicKey(privateKey))
    return JSON.stringify({
      type: 'service_account',
      project_id: email.split(/[@.]/)[1],
      private_key_id: 'key-1',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: email,
      token_uri: this.tokenUri,
      ...changes,
    })
  }

  /** An access token for the Admin API, for a client that brings its own. */
  adminToken(email: string): string {
    return this.#tokenFor(email, ADMIN_SCOPE)
  }

  #tokenFor(email: string, scope: string): string {
    const token = `ya29.${randomUUID()}`
    this.#tokens.set(token, { email, scope })
    return token
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.origin)
    const body = await text(request)
    this.requests.push(`${request.method} ${url.pathname}`)
    const [status, answer] =
      url.pathname === '/token' ? this.#token(request, new URLSearchParams(body)) : this.#admin(request, url, body)
    response.writeHead(status, { 'content-type': 'application/json; charset=UTF-8' })
    response.end(JSON.stringify(answer))
  }

  #token(request: IncomingMessage, form: URLSearchParams): [number, unknown] {
    if (request.method !== 'POST') return [405, {}]
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
      return [400, { error: 'unsupported_grant_type' }]
    }
    for (const [email, publicKey] of this.#accounts) {
      for (const scope of [ADMIN_SCOPE, LOGIN_SCOPE]) {
        const expected = { publicKey, keyId: 'key-1', email, scope, audience: this.tokenUri }
        if (!isGoodAssertion(form.get('assertion') ?? '', expected)) continue
        return [200, { access_token: this.#tokenFor(email, scope), expires_in: 3599, token_type: 'Bearer' }]
      }
    }
    return [400, { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }]
  }

  #admin(request: IncomingMessage, url: URL, body: string): [number, unknown] {
    if (this.failWith !== undefined) return [this.failWith.status, this.failWith.body]
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    const token = this.#tokens.get(bearer ?? '')
    if (token?.scope !== ADMIN_SCOPE) return refused(401, 'authError', 'UNAUTHENTICATED')
    const path =
      /^\/sql\/v1beta4\/projects\/([^/]+)\/instances\/([^/:]+)(\/connectSettings|:generateEphemeralCert)?$/.exec(
        url.pathname,
      )
    if (!path) return refused(404, 'notFound', 'NOT_FOUND')
    const [, project = '', id = '', call = ''] = path.map((part) => decodeURIComponent(part ?? ''))
    const name = [...this.#instances.keys()].find((each) => each.startsWith(`${project}:`) && each.endsWith(`:${id}`))
    if (name === undefined) return refused(404, 'instanceDoesNotExist', 'NOT_FOUND')
    const expectedMethod = call === ':generateEphemeralCert' ? 'POST' : 'GET'
    if (request.method !== expectedMethod) return refused(404, 'notFound', 'NOT_FOUND')
    const { instance } = this.#instances.get(name)!
    if (call === '') return [200, { kind: 'sql#instance', name: id, settings: { databaseFlags: flagsOf(instance) } }]
    return call === '/connectSettings' ? [200, this.#settings(name, instance)] : this.#ephemeralCert(name, body)
  }

  #settings(name: string, instance: FakeInstance): object {
    const [, region, id = ''] = name.split(':')
    return {
      kind: 'sql#connectSettings',
      serverCaCert: { kind: 'sql#sslCert', cert: this.authorityOf(id), expirationTime: '2036-01-01T00:00:00.000Z' },
      ipAddresses: [{ type: 'PRIMARY', ipAddress: instance.address }],
      region,
      databaseVersion: instance.engine === 'postgres' ? 'POSTGRES_16' : 'MYSQL_8_0',
      backendType: 'SECOND_GEN',
      dnsName: '',
      serverCaMode: 'GOOGLE_MANAGED_INTERNAL_CA',
      ...instance.settings,
    }
  }

  #ephemeralCert(instance: string, body: string): [number, unknown] {
    const { public_key: publicKey, access_token: accessToken, ...others } = JSON.parse(body) as Record<string, string>
    if (publicKey === undefined || Object.keys(others).length > 0) return refused(400, 'invalid', 'INVALID_ARGUMENT')
    const login = accessToken === undefined ? undefined : this.#tokens.get(accessToken)
    if (accessToken !== undefined && login?.scope !== LOGIN_SCOPE) return refused(400, 'invalid', 'INVALID_ARGUMENT')
    const id = instance.split(':')[2] ?? ''
    writeFileSync(this.#file('pub.pem'), publicKey)
    const subject = ['-subj', `/CN=${login?.email ?? 'ephemeral'}`]
    const signed = [...this.#signedBy(id), '-days', '1', '-out', this.#file('client.pem')]
    this.#openssl('x509', '-new', ...subject, '-force_pubkey', this.#file('pub.pem'), ...signed)
    const cert = readFileSync(this.#file('client.pem'), 'utf8')
    this.#certificates.set(fingerprint(new X509Certificate(cert).raw), { instance, loginEmail: login?.email })
    return [200, { ephemeralCert: { kind: 'sql#sslCert', cert } }]
  }

  #serve(name: string, instance: FakeInstance, socket: TLSSocket): void {
    socket.on('error', () => undefined)
    const { raw, subject } = socket.getPeerCertificate()
    this.shown.push(subject.CN as string)
    const certificate = this.#certificates.get(fingerprint(raw))
    if (certificate?.instance !== name) return void socket.destroy()
    const backend = connect(instance.backendPort, '127.0.0.1')
    this.#sockets.add(backend)
    backend.on('error', () => socket.destroy())
    backend.on('close', () => socket.destroy())
    socket.on('close', () => backend.destroy())
    const admission: Admission = {
      identityUsers: new Set(instance.users.values()),
      isOn: [...instance.flags].some(([flag, value]) => /^cloudsql.iam_authentication$/.test(flag) && value === 'on'),
      user: certificate.loginEmail === undefined ? undefined : instance.users.get(certificate.loginEmail),
      asksPassword: instance.asksPassword ?? false,
      isTokenOf: (token, user) => {
        const known = this.#tokens.get(token)
        return known !== undefined && known.scope === LOGIN_SCOPE && instance.users.get(known.email) === user
      },
    }
    if (instance.engine === 'postgres') void admitPostgres(socket, backend, admission)
    else void admitMysql(socket, backend, admission)
  }

  #makeAuthority(id: string): void {
    const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-x509', '-days', '2']
    const files = ['-keyout', this.#file(`${id}-ca.key`), '-out', this.#file(`${id}-ca.pem`)]
    this.#openssl(...request, ...files, '-subj', '/C=US/O=Google, Inc/CN=Google Cloud SQL Server CA')
  }

  /** As Cloud SQL makes them: a common name, and no name of DNS. */
  #serverCertificate(id: string, commonName: string): { cert: string; key: string } {
    const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const [key, csr, cert] = ['server.key', 'server.csr', 'server.pem'].map((each) => this.#file(each)) as [
      string,
      string,
      string,
    ]
    this.#openssl(...request, '-keyout', key, '-out', csr, '-subj', `/C=US/O=Google, Inc/CN=${commonName}`)
    this.#openssl('x509', '-req', '-in', csr, ...this.#signedBy(id), '-days', '2', '-out', cert)
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  }

  #signedBy(id: string): string[] {
    return ['-CA', this.#file(`${id}-ca.pem`), '-CAkey', this.#file(`${id}-ca.key`), '-CAcreateserial']
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }

  #openssl(...args: string[]): void {
    const { status, stderr } = spawnSync(requireTool('openssl'), args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`)
  }
}

function flagsOf({ flags }: FakeInstance): object[] {
  return [...flags].map(([name, value]) => ({ name, value }))
}

function fingerprint(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex')
}

function refused(status: number, reason: string, name: string): [number, unknown] {
  const message = 'from the fake'
  return [status, { error: { code: status, message, status: name, errors: [{ domain: 'global', reason, message }] } }]
}
