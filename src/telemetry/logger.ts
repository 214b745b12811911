import type { Writable } from 'node:stream'
import pino from 'pino'
import { loggable } from './error-fields.ts'

/**
 * Writes log lines: `logger.info({ instanceId }, 'instance created')`. An error goes into the field `err`.
 * `logger.child({ requestId })` and `logger.child({ sessionId })` put the id on every line of a request or session.
 */
export type Logger = pino.Logger

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

export interface LoggerOptions {
  readonly level: LogLevel
  /** Which process writes: `supervisor`, `control`, `gateway`, … On every line, with the process id. */
  readonly role: string
  /** Absent: standard output. */
  readonly destination?: 'stdout' | 'stderr' | Writable
}

/**
 * A logger that writes one JSON object per line. A `Secret` anywhere in the fields is written as `[secret]`; of an error
 * only name, message, code, our own detail, stack and causes are written (`error-fields.ts`).
 */
export function createLogger({ level, role, destination = 'stdout' }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { role, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => loggable(fields) as Record<string, unknown>,
      },
      // Replaces pino's own, which copies every property of an error. A child's bindings pass here only.
      serializers: { err: (value: unknown) => loggable(value) },
    },
    typeof destination === 'string'
      ? pino.destination({ dest: destination === 'stdout' ? 1 : 2, sync: true })
      : destination,
  )
}
