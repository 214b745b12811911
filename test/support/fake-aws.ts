import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signatureV4 } from './sigv4.ts'

interface AccessKey {
  readonly secretAccessKey: string
  readonly sessionToken?: string
  /** What may be done: `action` or `action resource`. */
  readonly allowed: readonly string[]
}

interface StoredSecret {
  readonly arn: string
  readonly stages: Record<string, { readonly versionId: string; readonly text?: string; readonly binary?: string }>
  readonly deleted?: boolean
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/**
 * AWS Secrets Manager (GetSecretValue) and STS (AssumeRole) as their API references describe them, strict: every signature is
 * computed again by independent code and compared, with date, region, service, session token and permission.
 */
export class FakeAws {
  readonly keys = new Map<string, AccessKey>()
  readonly secrets = new Map<string, StoredSecret>()
  /** Roles by ARN: who may assume them, with which external id, and what they may do. */
  readonly roles = new Map<string, { trusts: readonly string[]; externalId?: string; allowed: readonly string[] }>()
  /** `service action by key`, in order. */
  readonly requests: string[] = []
  failWith: { status: number; code: string } | undefined
  readonly #region: string
  readonly #server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const answer = this.#answer(request, body)
      response.writeHead(answer.status, { 'content-type': answer.type })
      response.end(answer.body)
    })
  })

  constructor(region = 'eu-central-1') {
    this.#region = region
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, body: string): Answer {
    const target = request.headers['x-amz-target']
    const service = target === undefined ? 'sts' : 'secretsmanager'
    const fail = service === 'sts' ? xmlError : jsonError
    if (this.failWith) return fail(this.failWith.status, this.failWith.code)
    const checked = this.#checkSignature(request, body, service)
    if (typeof checked === 'string') return fail(checked === 'MissingAuthenticationToken' ? 403 : 400, checked)
    const { id, key } = checked
    if (service === 'sts') return this.#assumeRole(new URLSearchParams(body), id)
    if (target !== 'secretsmanager.GetSecretValue') return fail(400, 'UnknownOperationException')
    this.requests.push(`secretsmanager GetSecretValue by ${id}`)
    return this.#getSecretValue(JSON.parse(body) as Record<string, unknown>, key)
  }

  #checkSignature(request: IncomingMessage, body: string, service: string): string | { id: string; key: AccessKey } {
    const { authorization } = request.headers
    const parts =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        authorization ?? '',
      )
    if (!parts) return 'MissingAuthenticationToken'
    const [, id = '', date, region = '', named = '', signed = '', signature] = parts
    const key = this.keys.get(id)
    if (!key) return service === 'sts' ? 'InvalidClientTokenId' : 'UnrecognizedClientException'
    const amzDate = request.headers['x-amz-date']
    if (typeof amzDate !== 'string' || !amzDate.startsWith(date ?? '?')) return 'IncompleteSignature'
    if (named !== service || region !== this.#region) return 'InvalidSignatureException'
    const sentAt = Date.parse(amzDate.replace(/(....)(..)(..)T(..)(..)(..)Z/, '$1-$2-$3T$4:$5:$6Z'))
    if (Math.abs(Date.now() - sentAt) > 5 * 60_000) return 'InvalidSignatureException'
    const signedHeaders = signed.split(';')
    if (!signedHeaders.includes('host')) return 'InvalidSignatureException'
    if ((request.headers['x-amz-security-token'] ?? undefined) !== key.sessionToken) return 'ExpiredTokenException'
    if (key.sessionToken !== undefined && !signedHeaders.includes('x-amz-security-token'))
      return 'InvalidSignatureException'
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    const signedRequest = { method: request.method ?? '', target: request.url ?? '', headers, body }
    const { secretAccessKey } = key
    const expected = signatureV4(signedRequest, { secretAccessKey, amzDate, region, service, signedHeaders })
    return expected === signature ? { id, key } : 'InvalidSignatureException'
  }

  #getSecretValue(input: Record<string, unknown>, key: AccessKey): Answer {
    const { SecretId: id, VersionStage: stage = 'AWSCURRENT' } = input
    const found = [...this.secrets.entries()].find(([name, { arn }]) => name === id || arn === id)
    const [name, secret] = found ?? []
    if (!key.allowed.includes('secretsmanager:GetSecretValue') && !key.allowed.includes(`GetSecretValue ${name}`)) {
      return jsonError(400, 'AccessDeniedException')
    }
    const version = secret?.stages[String(stage)]
    if (secret?.deleted) return jsonError(400, 'InvalidRequestException')
    if (!secret || !version) return jsonError(400, 'ResourceNotFoundException')
    const { versionId, text, binary } = version
    return json(200, { ARN: secret.arn, Name: name, VersionId: versionId, SecretString: text, SecretBinary: binary })
  }

  #assumeRole(input: URLSearchParams, id: string): Answer {
    if (input.get('Action') !== 'AssumeRole' || input.get('Version') !== '2011-06-15')
      return xmlError(400, 'InvalidAction')
    this.requests.push(`sts AssumeRole by ${id}`)
    const role = this.roles.get(input.get('RoleArn') ?? '')
    const externalId = input.get('ExternalId') ?? undefined
    if (!role?.trusts.includes(id) || role.externalId !== externalId) return xmlError(403, 'AccessDenied')
    const made = `ASIA${String(this.keys.size).padStart(16, '0')}`
    const key = { secretAccessKey: `assumed-${made}`, sessionToken: `session-of-${made}`, allowed: role.allowed }
    this.keys.set(made, key)
    const expiration = new Date(Date.now() + 3_600_000).toISOString()
    return {
      status: 200,
      type: 'text/xml',
      body: `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROA:postern</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/x/postern</Arn></AssumedRoleUser><Credentials><AccessKeyId>${made}</AccessKeyId><SecretAccessKey>${key.secretAccessKey}</SecretAccessKey><SessionToken>${key.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
    }
  }
}

function json(status: number, body: object): Answer {
  return { status, type: 'application/x-amz-json-1.1', body: JSON.stringify(body) }
}

function jsonError(status: number, code: string): Answer {
  return json(status, { __type: code, message: `${code} from the fake` })
}

function xmlError(status: number, code: string): Answer {
  return {
    status,
    type: 'text/xml',
    body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>from the fake</Message></Error></ErrorResponse>`,
  }
}
