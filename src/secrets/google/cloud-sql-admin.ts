import { PosternError } from '../../base/errors.ts'
import type { Secret } from '../../base/secret.ts'
import type { CloudSqlIpType, CloudSqlName } from '../../contract/cloud-sql-name.ts'
import { invalidAnswer, isObject, parseObject, parseObjectOrEmpty } from '../secret-json.ts'
import type { FetchContext } from '../secret-source.ts'
import { googleToken } from './google-token.ts'

const SERVICE = 'Cloud SQL Admin API'
const ORIGIN = 'https://sqladmin.googleapis.com'
const SCOPE = 'https://www.googleapis.com/auth/sqlservice.admin'

/** What the Cloud SQL Admin API tells of an instance to whoever wants to reach it. */
export interface ConnectSettings {
  readonly addresses: Readonly<Partial<Record<CloudSqlIpType, string>>>
  readonly serverCaPem: string
  /** Where the authority is shared with other instances, the certificate is for this name. */
  readonly dnsName: string | undefined
  /** Whether the authority signs for this instance alone. */
  readonly hasOwnAuthority: boolean
  readonly region: string
  /** `POSTGRES_16`, `MYSQL_8_0`. */
  readonly databaseVersion: string
}

/** Calls of the Cloud SQL Admin API for one instance, with one identity (https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4). */
export interface CloudSqlAdmin {
  /** @throws PosternError SECRET_SOURCE_* */
  connectSettings(): Promise<ConnectSettings>
  /**
   * A client certificate for the public key, good for an hour.
   * @param loginToken absent: the certificate says nothing about a database user
   */
  generateEphemeralCert(publicKeyPem: string, loginToken: Secret | undefined): Promise<string>
  /** Flags that are set, by name. */
  databaseFlags(): Promise<ReadonlyMap<string, string>>
}

/** @throws PosternError as {@link googleToken} */
export async function cloudSqlAdmin(
  { projectId, instanceId }: CloudSqlName,
  serviceAccount: Secret | undefined,
  context: FetchContext,
): Promise<CloudSqlAdmin> {
  const { token } = await googleToken(serviceAccount, [SCOPE], context)
  const path = `/sql/v1beta4/projects/${encodeURIComponent(projectId)}/instances/${encodeURIComponent(instanceId)}`
  const call = async (suffix: string, permission: string, body?: object): Promise<Record<string, unknown>> => {
    const answer = await context.http.request({
      method: body === undefined ? 'GET' : 'POST',
      url: new URL(`${path}${suffix}`, context.policy.cloudSqlAdminEndpoint ?? ORIGIN),
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${token.reveal()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: context.signal,
    })
    if (answer.status === 200) return parseObject(answer.body, SERVICE)
    throw refusal(answer.status, parseObjectOrEmpty(answer.body), permission, `${projectId}:${instanceId}`)
  }
  return {
    connectSettings: async () => readSettings(await call('/connectSettings', 'cloudsql.instances.get')),
    async generateEphemeralCert(publicKeyPem, loginToken) {
      const { ephemeralCert } = await call(':generateEphemeralCert', 'cloudsql.instances.connect', {
        public_key: publicKeyPem,
        ...(loginToken !== undefined && { access_token: loginToken.reveal() }),
      })
      const cert = isObject(ephemeralCert) ? ephemeralCert['cert'] : undefined
      if (typeof cert !== 'string') throw invalidAnswer(SERVICE, 'the answer holds no certificate')
      return cert
    },
    databaseFlags: async () => readFlags(await call('', 'cloudsql.instances.get')),
  }
}

function readSettings(answer: Record<string, unknown>): ConnectSettings {
  const { serverCaCert, serverCaMode, region, databaseVersion } = answer
  const serverCaPem = isObject(serverCaCert) ? serverCaCert['cert'] : undefined
  if (typeof serverCaPem !== 'string') throw invalidAnswer(SERVICE, 'the answer holds no authority of the instance')
  if (typeof region !== 'string') throw invalidAnswer(SERVICE, 'the answer holds no region')
  const isManaged = serverCaMode === undefined || serverCaMode === 'CA_MODE_UNSPECIFIED'
  return {
    addresses: readAddresses(answer),
    serverCaPem,
    dnsName: dnsNamesOf(answer)[0]?.name ?? textIn(answer, 'dnsName'),
    hasOwnAuthority: isManaged || serverCaMode === 'GOOGLE_MANAGED_INTERNAL_CA',
    region,
    databaseVersion: typeof databaseVersion === 'string' ? databaseVersion : '',
  }
}

/** As Google's own connectors choose them: the name of Private Service Connect is among `dnsNames`, formerly `dnsName`. */
function readAddresses(answer: Record<string, unknown>): ConnectSettings['addresses'] {
  const addresses = Array.isArray(answer['ipAddresses']) ? answer['ipAddresses'].filter(isObject) : []
  const ofType = (type: string) => addresses.find((each) => each['type'] === type)?.['ipAddress']
  const ofPsc = dnsNamesOf(answer).find(
    ({ connectionType, dnsScope }) => connectionType === 'PRIVATE_SERVICE_CONNECT' && dnsScope === 'INSTANCE',
  )
  const psc = ofPsc?.name ?? (answer['pscEnabled'] === true ? textIn(answer, 'dnsName') : undefined)
  const found = { public: ofType('PRIMARY'), private: ofType('PRIVATE'), psc }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => typeof value === 'string' && value !== ''))
}

interface DnsName {
  readonly name: string
  readonly connectionType?: unknown
  readonly dnsScope?: unknown
}

/** Without the dot at their ends. */
function dnsNamesOf(answer: Record<string, unknown>): readonly DnsName[] {
  const names = Array.isArray(answer['dnsNames']) ? answer['dnsNames'].filter(isObject) : []
  return names.flatMap((each) => {
    const name = textIn(each, 'name')
    return name === undefined ? [] : [{ ...each, name }]
  })
}

function textIn(object: Record<string, unknown>, field: string): string | undefined {
  const value = object[field]
  return typeof value === 'string' && value !== '' ? value.replace(/\.$/, '') : undefined
}

function readFlags({ settings }: Record<string, unknown>): ReadonlyMap<string, string> {
  const flags = isObject(settings) && Array.isArray(settings['databaseFlags']) ? settings['databaseFlags'] : []
  return new Map(flags.filter(isObject).map(({ name, value }) => [String(name), String(value)]))
}

function refusal(status: number, answer: Record<string, unknown>, permission: string, instance: string): PosternError {
  const detail = { status, reason: reasonOf(answer) }
  if (status === 403 && (detail.reason === 'accessNotConfigured' || detail.reason === 'SERVICE_DISABLED')) {
    return new PosternError('SECRET_SOURCE_DENIED', 'the Cloud SQL Admin API is not enabled in the Google project', {
      hint: 'Enable it: gcloud services enable sqladmin.googleapis.com',
      detail,
    })
  }
  if (status === 403) {
    return new PosternError('SECRET_SOURCE_DENIED', `Google denies ${permission} on ${instance}`, {
      hint: 'Grant the role Cloud SQL Client (roles/cloudsql.client) to the identity, and check the connection name.',
      detail,
    })
  }
  if (status === 401) {
    return new PosternError('SECRET_SOURCE_DENIED', 'Google does not accept the access token of this identity', {
      detail,
    })
  }
  if (status === 404) {
    return new PosternError('SECRET_SOURCE_NOT_FOUND', `Google knows no Cloud SQL instance ${instance}`, {
      hint: 'Check the connection name: it stands on the overview page of the instance.',
      detail,
    })
  }
  if (status >= 500 || status === 429) {
    return new PosternError('SECRET_SOURCE_UNAVAILABLE', `${SERVICE} cannot answer now (HTTP ${status})`, { detail })
  }
  return new PosternError('SECRET_SOURCE_INVALID', `${SERVICE} answered with HTTP ${status}`, { detail })
}

/** Both forms of Google's error bodies. */
function reasonOf({ error }: Record<string, unknown>): string | undefined {
  if (!isObject(error)) return undefined
  const [first] = [error['errors'], error['details']].flatMap((list) =>
    Array.isArray(list) ? list.filter(isObject) : [],
  )
  const reason = first?.['reason'] ?? error['status']
  return typeof reason === 'string' ? reason : undefined
}
