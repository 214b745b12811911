import { PosternError, type ErrorCode } from '../../base/errors.ts'
import type { DataSourceRoute } from '../../dialer/data-source-route.ts'
import { connectFailure } from '../../dialer/dial-errors.ts'
import { positionAt, statementFailed } from '../statement-error.ts'
import { portAdvice } from './options.ts'

/** An answer that says that the request failed: its number, and the server's own text without its wrapping. */
export interface ServerException {
  /** As ErrorCodes.cpp of ClickHouse numbers them; undefined where what answers is not ClickHouse. */
  readonly number: number | undefined
  readonly text: string
  readonly status: number
}

/** Numbers that are used in code. */
export const EXCEPTION = { syntax: 62, timeout: 159, readOnly: 164, cancelled: 394, accessDenied: 497 } as const

type Translation = readonly [code: ErrorCode, text: string, hint?: string]

const BY_NUMBER: Readonly<Record<number, Translation>> = {
  192: ['UPSTREAM_AUTH_FAILED', 'the database does not know the user'],
  193: ['UPSTREAM_AUTH_FAILED', 'the database refused the password'],
  194: ['UPSTREAM_AUTH_FAILED', 'the database asks for a password'],
  195: [
    'UPSTREAM_AUTH_FAILED',
    'the database does not admit this user from here',
    'Admit the addresses of Postern in the networks (HOST) of the user.',
  ],
  516: ['UPSTREAM_AUTH_FAILED', 'the database refused the user or the password'],
  81: ['DATABASE_NOT_FOUND', 'the database of this name does not exist on the server'],
  291: ['UPSTREAM_PERMISSION', 'the user of the data source may not use this database'],
  497: ['UPSTREAM_PERMISSION', 'the user of the data source lacks a privilege'],
  164: ['UPSTREAM_PERMISSION', 'the user of the data source may only read'],
  159: ['UPSTREAM_FAILED', 'the database did not finish the statement in time'],
  202: ['UPSTREAM_FAILED', 'the database runs too many queries at the same time'],
}

const WRAPPING =
  /^(?:\w+::\w+\. )?Code: (\d+)[.,] (?:e\.code\(\) = -?\d+, )?(?:e\.displayText\(\) = )?(?:DB::(?:Net)?Exception: )?/
/** As {@link WRAPPING}, told from a row that only begins like it. */
const EXCEPTION_LINE = /^(?:\w+::\w+\. )?Code: \d+[.,] .*(?:DB::\w*Exception|e\.what\(\))/
/** What the port of the native protocol answers to HTTP (TCPHandler of ClickHouse). */
const NATIVE_BANNER = /^Port \d+ is for clickhouse-client program/

/** Reads the body of a failed answer. @param header value of x-clickhouse-exception-code, which old servers do not send */
export function readException(status: number, header: string | undefined, body: string): ServerException {
  const number = header ?? WRAPPING.exec(body)?.[1]
  const text = body
    .replace(WRAPPING, '')
    .replace(/, e\.what\(\) = [\s\S]*$/, '')
    .replace(/\. \([A-Z_]+\) \(version .*\)\s*$/, '')
    .trim()
  return { number: number === undefined ? undefined : Number(number), text, status }
}

/** Whether a line has the form of an exception that came after the answer had begun. */
export function isExceptionText(line: string): boolean {
  return EXCEPTION_LINE.test(line)
}

/** An exception that our own statements met, in Postern's words. */
export function exceptionFailure(exception: ServerException, route: DataSourceRoute): PosternError {
  const { number, status, text } = exception
  if (number === undefined) return notClickHouse(exception, route)
  const [code, words, hint] = BY_NUMBER[number] ?? ['UPSTREAM_FAILED', 'the database reported an error']
  return new PosternError(code, `${words} (ClickHouse error ${number})`, { hint, detail: { number, status, text } })
}

/** An exception that somebody's statement met: they read the server's own words and where. */
export function statementFailure(
  exception: ServerException,
  statement: { readonly whole: string; readonly text: string; readonly offset: number },
): PosternError {
  const { number, text } = exception
  if (number === EXCEPTION.readOnly) {
    return new PosternError('STATEMENT_NOT_READ_ONLY', `${text} (ClickHouse error ${number})`, {
      detail: { databaseCode: String(number) },
    })
  }
  // The only place where the server tells it: `failed at position 9`, counted in bytes from 1.
  const place = number === EXCEPTION.syntax ? /failed at position (\d+)/.exec(text)?.[1] : undefined
  const before =
    place &&
    Buffer.from(statement.text)
      .subarray(0, Number(place) - 1)
      .toString()
  return statementFailed(text, {
    databaseCode: number === undefined ? undefined : String(number),
    position: before === undefined ? undefined : positionAt(statement.whole, statement.offset + before.length),
  })
}

/** A failure of the way to the server, with what its port says about the mistake. */
export function wayFailure(thrown: unknown, route: DataSourceRoute): PosternError {
  const failure = connectFailure(thrown)
  const advice = ADVISED.has(failure.code) ? portAdvice(route) : undefined
  if (advice === undefined) return failure
  return new PosternError(failure.code, failure.message, {
    cause: failure,
    hint: advice,
    detail: { ...failure.detail },
  })
}

/** Failures that a wrong port leads to. */
const ADVISED: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_PORT_CLOSED',
  'UPSTREAM_UNREACHABLE',
  'UPSTREAM_TIMED_OUT',
  'UPSTREAM_TLS_REFUSED',
  'UPSTREAM_PROTOCOL',
  'UPSTREAM_TLS_ON_PLAIN_PORT',
])

function notClickHouse({ status, text }: ServerException, route: DataSourceRoute): PosternError {
  if (NATIVE_BANNER.test(text)) {
    return new PosternError('UPSTREAM_PROTOCOL', 'the port is the one of the native protocol of ClickHouse', {
      hint:
        portAdvice(route) ??
        'Postern speaks HTTP: use the HTTPS port (8443 unless configured), or the HTTP port (8123) with TLS mode disable.',
    })
  }
  if (status === 401 || status === 403) {
    return new PosternError('UPSTREAM_AUTH_FAILED', `the database refused the user or the password (HTTP ${status})`)
  }
  return new PosternError('UPSTREAM_PROTOCOL', `what answers at the port is not ClickHouse (HTTP ${status})`, {
    hint: portAdvice(route) ?? 'Check the host and the port: 8443 is HTTPS and 8123 is HTTP unless configured.',
    detail: { text: text.slice(0, 200) },
  })
}
