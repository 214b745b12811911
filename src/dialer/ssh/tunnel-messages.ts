import { PosternError, type ErrorCode } from '../../base/errors.ts'
import { Secret } from '../../base/secret.ts'
import type { SshHop } from '../data-source-route.ts'
import type { DataSourceSecrets, SecretField } from '../data-source-secrets.ts'
import type { TunnelRequest } from '../ssh-tunnels.ts'

/** A way through SSH servers as it is asked for over an inherited pipe, and never otherwise: its secrets are plain text. */
export interface TunnelOrder {
  readonly hops: readonly SshHop[]
  readonly secrets: Readonly<Record<string, string>>
  readonly target: TunnelRequest['target']
  readonly timeoutMs: number
}

/** Lets its bearer have the stream that was ordered, once and within seconds. */
export interface TunnelTicket {
  /** Unix socket of the process that has the tunnels. */
  readonly path: string
  readonly ticket: string
}

/** 256 bits in base64url. The holder sends them and a line end; then he reads lines of {@link TunnelLine}. */
export const TICKET_CHARACTERS = 43
export const LINE_END = 0x0a
/** Behind the line `open` the holder sends one byte, and from there on the socket is the stream, both ways. */
export const GO = new Uint8Array([LINE_END])
export const LINE_MAX_BYTES = 16 * 1024

type StageArguments = Parameters<NonNullable<TunnelRequest['onStage']>>

/** What the process of the tunnels says before the stream begins, as JSON in a line. */
export type TunnelLine =
  | { readonly kind: 'stage'; readonly stage: StageArguments[0]; readonly detail: StageArguments[1] }
  | { readonly kind: 'open' }
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode
      readonly message: string
      readonly hint?: string | undefined
      readonly detail?: Readonly<Record<string, unknown>> | undefined
    }

/** Only what SSH needs goes along, not the password of the database. */
export function toOrder({ hops, secrets, target, timeoutMs }: TunnelRequest): TunnelOrder {
  const revealed: Record<string, string> = {}
  for (const [field, secret] of Object.entries(secrets)) {
    if (field.startsWith('ssh.') && secret !== undefined) revealed[field] = secret.reveal()
  }
  return { hops, secrets: revealed, target: { host: target.host, port: target.port }, timeoutMs }
}

export function orderSecrets(order: TunnelOrder): DataSourceSecrets {
  const secrets: Partial<Record<SecretField, Secret>> = {}
  for (const [field, value] of Object.entries(order.secrets)) secrets[field as SecretField] = new Secret(value)
  return secrets
}

export function failedLine(error: PosternError): TunnelLine {
  const { code, message, hint, detail } = error
  return { kind: 'failed', code, message, hint, detail }
}

export function failureOf({ code, message, hint, detail }: Extract<TunnelLine, { kind: 'failed' }>): PosternError {
  return new PosternError(code, message, { hint, detail: detail ?? {} })
}
