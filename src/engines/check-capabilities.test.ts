import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { describeWith } from '../../test/support/requirements.ts'
import { createTestAuthority } from '../../test/support/test-certificates.ts'
import { Secret } from '../base/secret.ts'
import {
  ENGINE_CAPABILITIES,
  FIELD_LOGIN_METHOD,
  EngineField,
  EngineName,
  LoginMethod,
  type EngineCapabilities,
  type ExtraParameter,
} from '../contract/engines.ts'
import { TlsMode } from '../contract/tls-mode.ts'
import { PLAIN_ROUTE, type DataSourceRoute, type SshHop } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { GOOGLE_TOKEN_ENDPOINTS } from '../secrets/google/access-token.ts'
import { checkCapabilities } from './check-capabilities.ts'

/** `fine`, or the field that is named. */
type Verdict = string

describeWith(['openssl'], 'what a data source may say to its engine', () => {
  const authority = createTestAuthority('Capabilities authority')
  const client = authority.issue(['client.test'])
  const other = authority.issue(['other.test'])
  authority.remove()
  const secret = new Secret('text')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  /** Those that are looked at; another one is a text. */
  const SECRETS: DataSourceSecrets = {
    awsCredentials: new Secret(JSON.stringify({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' })),
    serviceAccount: new Secret(
      JSON.stringify({
        type: 'service_account',
        client_email: 'bytebase@shop-prod.iam.gserviceaccount.com',
        token_uri: GOOGLE_TOKEN_ENDPOINTS[0]?.uri,
        private_key_id: 'key-1',
        private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      }),
    ),
  }

  const LOGIN: Readonly<Record<LoginMethod, DataSourceSecrets>> = {
    password: { password: secret },
    key_pair: { privateKey: secret },
    access_token: { accessToken: secret },
    service_account: { serviceAccount: secret },
    ambient: {},
    aws_iam: {},
    gcp_iam: {},
    azure_entra: {},
  }
  const hop: SshHop = { host: 'bastion.test', port: 22, username: 'jump', auth: 'password', hostKey: null }

  /** The least that an engine asks for. */
  function least(engine: EngineName): { route: DataSourceRoute; secrets: DataSourceSecrets } {
    const capabilities = ENGINE_CAPABILITIES[engine]
    const [loginMethod] = capabilities.loginMethods as readonly [LoginMethod, ...LoginMethod[]]
    const required = Object.entries(capabilities.fields).flatMap(([field, use]) => (use === 'required' ? [field] : []))
    const fields = [...required, ...capabilities.oneOf.slice(0, 1)]
    return {
      route: {
        ...PLAIN_ROUTE,
        engine,
        host: capabilities.host === 'required' ? 'db.example.test' : '',
        port: capabilities.defaultPort ?? 443,
        database: '',
        username: capabilities.username === 'required' ? 'postern' : '',
        loginMethod,
        tlsMode: 'verify-full',
        tlsCa: null,
        fields: Object.fromEntries(fields.map((field) => [field, 'value'])),
      },
      secrets: LOGIN[loginMethod],
    }
  }

  function verdict(engine: EngineName, change: Partial<DataSourceRoute>, secrets: DataSourceSecrets = {}): Verdict {
    const base = least(engine)
    const login = change.loginMethod === undefined ? base.secrets : LOGIN[change.loginMethod]
    try {
      checkCapabilities({ ...base.route, ...change }, { ...login, ...secrets })
      return 'fine'
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'INVALID_ARGUMENT' })
      const { message, detail } = thrown as { message: string; detail: { field: string } }
      expect(message.startsWith(`${detail.field} `)).toBe(true)
      return detail.field
    }
  }

  /** Each option, and what the capability row says becomes of it. */
  const options: [string, Partial<DataSourceRoute>, DataSourceSecrets, (row: EngineCapabilities) => Verdict][] = [
    ['nothing more', {}, {}, () => 'fine'],
    ['a host', { host: 'db.example.test' }, {}, ({ host }) => (host === 'refused' ? 'host' : 'fine')],
    ['no host', { host: '' }, {}, ({ host }) => (host === 'required' ? 'host' : 'fine')],
    ['an IPv6 address', { host: '2001:db8::1' }, {}, ({ host }) => (host === 'refused' ? 'host' : 'fine')],
    ['a Unix socket', { host: '/run/db' }, {}, ({ family }) => (family === 'postgres' ? 'fine' : 'host')],
    ['a URL for a host', { host: 'https://db.test/' }, {}, () => 'host'],
    ['a list of hosts', { host: 'a.test,b.test' }, {}, () => 'host'],
    ['port 0', { port: 0 }, {}, ({ defaultPort }) => (defaultPort === null ? 'fine' : 'port')],
    ['a port too high', { port: 65_536 }, {}, () => 'port'],
    ['half a port', { port: 1.5 }, {}, () => 'port'],
    ['a database', { database: 'app' }, {}, ({ database }) => (database === 'refused' ? 'database' : 'fine')],
    ['no database', { database: '' }, {}, ({ database }) => (database === 'required' ? 'database' : 'fine')],
    ['a database with a line break', { database: 'a\nb' }, {}, () => 'database'],
    ['a user', { username: 'ana' }, {}, ({ username }) => (username === 'refused' ? 'username' : 'fine')],
    ['no user', { username: '' }, {}, ({ username }) => (username === 'required' ? 'username' : 'fine')],
    ...TlsMode.options.map(
      (tlsMode) =>
        [
          `TLS mode ${tlsMode}`,
          { tlsMode, tlsCa: tlsMode === 'verify-ca' ? authority.caPem : null },
          {},
          ({ tlsModes }: EngineCapabilities) => (tlsModes.includes(tlsMode) ? 'fine' : 'tlsMode'),
        ] as [string, Partial<DataSourceRoute>, DataSourceSecrets, (row: EngineCapabilities) => Verdict],
    ),
    ['an authority', { tlsCa: authority.caPem }, {}, () => 'fine'],
    ['a file for the authority', { tlsFiles: { ca: '/etc/ca.pem' } }, {}, () => 'fine'],
    ['a relative file', { tlsFiles: { ca: 'ca.pem' } }, {}, () => 'tlsFiles.ca'],
    ['an authority twice', { tlsCa: authority.caPem, tlsFiles: { ca: '/a' } }, {}, () => 'tlsFiles.ca'],
    ['an authority that is none', { tlsCa: 'PEM' }, {}, () => 'tlsCa'],
    [
      'an authority that does not parse',
      { tlsCa: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      {},
      () => 'tlsCa',
    ],
    [
      'an authority without verification',
      { tlsMode: 'require', tlsCa: authority.caPem },
      {},
      ({ tlsModes }) => (tlsModes.includes('require') ? 'tlsCa' : 'tlsMode'),
    ],
    [
      'an authority without TLS',
      { tlsMode: 'disable', tlsCa: authority.caPem },
      {},
      ({ tlsModes }) => (tlsModes.includes('disable') ? 'tlsCa' : 'tlsMode'),
    ],
    ['verify-ca without an authority', { tlsMode: 'verify-ca' }, {}, () => 'tlsMode'],
    [
      'a client certificate',
      { tlsClientCertificate: client.certificateChainPem },
      { tlsClientKey: new Secret(client.privateKeyPem) },
      ({ clientCertificate }) => (clientCertificate ? 'fine' : 'tlsClientCertificate'),
    ],
    [
      'a client certificate in files',
      { tlsFiles: { certificate: '/a', key: '/b' } },
      {},
      ({ clientCertificate }) => (clientCertificate ? 'fine' : 'tlsFiles.certificate'),
    ],
    [
      'a client certificate with a key in a file',
      { tlsClientCertificate: client.certificateChainPem, tlsFiles: { key: '/b' } },
      {},
      ({ clientCertificate }) => (clientCertificate ? 'fine' : 'tlsClientCertificate'),
    ],
    [
      'a client certificate without its key',
      { tlsClientCertificate: client.certificateChainPem },
      {},
      () => 'tlsClientCertificate',
    ],
    [
      'a client key without its certificate',
      {},
      { tlsClientKey: new Secret(client.privateKeyPem) },
      () => 'tlsClientKey',
    ],
    [
      'a client certificate with the key of another',
      { tlsClientCertificate: client.certificateChainPem },
      { tlsClientKey: new Secret(other.privateKeyPem) },
      ({ clientCertificate }) => (clientCertificate ? 'tlsClientKey' : 'tlsClientCertificate'),
    ],
    [
      'a client key that is none',
      { tlsClientCertificate: client.certificateChainPem },
      { tlsClientKey: secret },
      ({ clientCertificate }) => (clientCertificate ? 'tlsClientKey' : 'tlsClientCertificate'),
    ],
    [
      'a client certificate without TLS',
      { tlsMode: 'disable', tlsClientCertificate: client.certificateChainPem },
      { tlsClientKey: new Secret(client.privateKeyPem) },
      ({ tlsModes }) => (tlsModes.includes('disable') ? 'tlsClientCertificate' : 'tlsMode'),
    ],
    ['SSH', { ssh: [hop] }, { 'ssh.0.password': secret }, ({ ssh }) => (ssh ? 'fine' : 'ssh')],
    [
      'SSH by a key over two servers',
      { ssh: [hop, { ...hop, auth: 'private_key', hostKey: `SHA256:${'a'.repeat(43)}` }] },
      { 'ssh.0.password': secret, 'ssh.1.privateKey': secret, 'ssh.1.passphrase': secret },
      ({ ssh }) => (ssh ? 'fine' : 'ssh'),
    ],
    ['SSH without its password', { ssh: [hop] }, {}, ({ ssh }) => (ssh ? 'ssh.0.password' : 'ssh')],
    [
      'SSH without its key',
      { ssh: [{ ...hop, auth: 'private_key' }] },
      { 'ssh.0.passphrase': secret },
      ({ ssh }) => (ssh ? 'ssh.0.privateKey' : 'ssh'),
    ],
    [
      'SSH with a key it does not use',
      { ssh: [hop] },
      { 'ssh.0.password': secret, 'ssh.0.privateKey': secret },
      ({ ssh }) => (ssh ? 'ssh.0.privateKey' : 'ssh'),
    ],
    ['a secret of an SSH server that is not there', {}, { 'ssh.0.password': secret }, () => 'ssh.0.password'],
    [
      'a pin that is none',
      { ssh: [{ ...hop, hostKey: 'MD5:aa:bb' }] },
      { 'ssh.0.password': secret },
      ({ ssh }) => (ssh ? 'ssh.0.hostKey' : 'ssh'),
    ],
    [
      'an SSH server without a user',
      { ssh: [{ ...hop, username: '' }] },
      { 'ssh.0.password': secret },
      ({ ssh }) => (ssh ? 'ssh.0.username' : 'ssh'),
    ],
    [
      'SSH to a Unix socket',
      { host: '/run/db', ssh: [hop] },
      { 'ssh.0.password': secret },
      ({ family }) => (family === 'postgres' ? 'ssh' : 'host'),
    ],
    ['a parameter that nobody knows', { extraParameters: { nosuch: '1' } }, {}, () => 'extraParameters.nosuch'],
    ['a parameter of the prototype', { extraParameters: { toString: '1' } }, {}, () => 'extraParameters.toString'],
  ]

  it.each(EngineName.options)('is honoured or refused by its name, option by option: %s', (engine) => {
    const row = ENGINE_CAPABILITIES[engine]
    const expected = options.map(([name, , , says]) => `${name}: ${says(row)}`)
    expect(options.map(([name, change, secrets]) => `${name}: ${verdict(engine, change, secrets)}`)).toEqual(expected)
  })

  const cells = EngineName.options.flatMap((engine) => LoginMethod.options.map((method) => [engine, method] as const))
  it.each(cells)('%s logs in by %s or says that it cannot', (engine, loginMethod) => {
    const isKnown = ENGINE_CAPABILITIES[engine].loginMethods.includes(loginMethod)
    const there = { loginMethod, ...(loginMethod === 'gcp_iam' && { host: 'shop-prod:europe-west3:orders' }) }
    expect(verdict(engine, there)).toBe(isKnown ? 'fine' : 'loginMethod')
    if (!isKnown) return
    const login = [
      'password',
      'privateKey',
      'privateKeyPassphrase',
      'accessToken',
      'serviceAccount',
      'awsCredentials',
      'azureClientSecret',
    ] as const
    const own: readonly string[] = [
      ...Object.keys(LOGIN[loginMethod]),
      ...(loginMethod === 'key_pair' ? ['privateKeyPassphrase'] : []),
      ...(loginMethod === 'aws_iam' ? ['awsCredentials'] : []),
      ...(loginMethod === 'gcp_iam' ? ['serviceAccount'] : []),
      ...(loginMethod === 'azure_entra' ? ['azureClientSecret'] : []),
    ]
    for (const field of login) {
      const isAzure = loginMethod === 'azure_entra' && field === 'azureClientSecret'
      const application = { fields: { azureTenantId: 'tenant', azureClientId: 'application' } }
      const given = verdict(engine, { ...there, ...(isAzure && application) }, { [field]: SECRETS[field] ?? secret })
      expect(`${field}: ${given}`).toBe(`${field}: ${own.includes(field) ? 'fine' : field}`)
    }
  })

  it.each(EngineName.options)('%s takes the fields of its row and no other', (engine) => {
    const { fields, oneOf } = ENGINE_CAPABILITIES[engine]
    const { route } = least(engine)
    for (const field of EngineField.options) {
      // One that belongs to another login method is refused as well.
      const use = FIELD_LOGIN_METHOD[field] === undefined ? (fields[field] ?? 'refused') : 'refused'
      const given = verdict(engine, { fields: { ...route.fields, [field]: 'value' } })
      expect(`${field}: ${given}`).toBe(`${field}: ${use === 'refused' ? field : 'fine'}`)
      const without = Object.fromEntries(Object.entries(route.fields).filter(([name]) => name !== field))
      const isMissed =
        use === 'required' ? field : oneOf.includes(field) && route.fields[field] ? oneOf.join(' or ') : 'fine'
      expect(`no ${field}: ${verdict(engine, { fields: without })}`).toBe(`no ${field}: ${isMissed}`)
    }
  })

  it.each(EngineName.options)('%s takes the parameters of its row within their values', (engine) => {
    for (const [name, parameter] of Object.entries(ENGINE_CAPABILITIES[engine].extraParameters)) {
      for (const value of goodValues(parameter)) {
        expect([name, value, verdict(engine, { extraParameters: { [name]: value } })]).toEqual([name, value, 'fine'])
      }
      for (const value of ['x\ny', ...badValues(parameter)]) {
        const field = `extraParameters.${name}`
        expect([name, value, verdict(engine, { extraParameters: { [name]: value } })]).toEqual([name, value, field])
      }
    }
  })
})

function goodValues({ values }: ExtraParameter): readonly string[] {
  if ('pattern' in values) return []
  return 'from' in values ? [String(values.from), String(values.to)] : values
}

function badValues({ values }: ExtraParameter): readonly string[] {
  if ('pattern' in values) return []
  return 'from' in values
    ? [String(values.from - 1), String(values.to + 1), '01', '1e3', ' 1', '']
    : ['', 'nosuch', "'; drop"]
}
