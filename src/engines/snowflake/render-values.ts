import type { Cell } from '../query-events.ts'
import { isRecord } from '../read-body.ts'

/** One column of a result, as the API describes it. */
export interface SnowflakeColumn {
  readonly name: string
  readonly type: string
  readonly precision: number | null
  readonly scale: number | null
  readonly length: number | null
}

export function readColumns(rowType: unknown): readonly SnowflakeColumn[] {
  if (!Array.isArray(rowType)) return []
  return rowType.map((column: unknown) => {
    const { name, type, precision, scale, length } = isRecord(column) ? column : {}
    return {
      name: typeof name === 'string' ? name : '',
      type: typeof type === 'string' ? type.toLowerCase() : '',
      precision: typeof precision === 'number' ? precision : null,
      scale: typeof scale === 'number' ? scale : null,
      length: typeof length === 'number' ? length : null,
    }
  })
}

const NAMES: Readonly<Record<string, string>> = { fixed: 'NUMBER', real: 'FLOAT', text: 'VARCHAR' }

/** A type as Snowflake writes it: `NUMBER(38,0)`, `VARCHAR(16)`, `TIMESTAMP_NTZ(9)`. */
export function renderType({ type, precision, scale, length }: SnowflakeColumn): string {
  const name = NAMES[type] ?? type.toUpperCase()
  if (type === 'fixed' && precision !== null) return `${name}(${precision},${scale ?? 0})`
  if (type === 'text' && length !== null && length > 0) return `${name}(${length})`
  if (/^time(stamp_\w+)?$/.test(type) && scale !== null) return `${name}(${scale})`
  return name
}

/**
 * A value as Snowflake prints it. Dates and times arrive as numbers since 1970 or midnight; the rest is text that stays as it
 * is: numbers keep every digit, binary is hex, semi-structured values are JSON.
 * @see https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
 */
export function renderValue(value: unknown, column: SnowflakeColumn): Cell {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') return JSON.stringify(value)
  switch (column.type) {
    case 'date':
      return renderDate(value)
    case 'time':
      return renderClock(value, column.scale)
    case 'timestamp_ntz':
      return renderTimestamp(value, column.scale, undefined)
    // Our sessions are in UTC.
    case 'timestamp_ltz':
      return renderTimestamp(value, column.scale, 0)
    case 'timestamp_tz':
      return renderWithOffset(value, column.scale)
    default:
      return value
  }
}

const DAY_SECONDS = 86_400n

function renderDate(days: string): string {
  return /^-?\d{1,8}$/.test(days) ? (dateOf(BigInt(days)) ?? days) : days
}

function renderClock(seconds: string, scale: number | null): string {
  const parts = splitSeconds(seconds)
  return parts === undefined ? seconds : `${clockOf(parts.whole)}${fraction(parts.nanos, scale)}`
}

/** `seconds offset`, with 1440 added to the offset in minutes. */
function renderWithOffset(value: string, scale: number | null): string {
  const [seconds = '', offset = ''] = value.split(' ')
  if (!/^\d{1,4}$/.test(offset)) return value
  return renderTimestamp(seconds, scale, Number(offset) - 1440)
}

function renderTimestamp(seconds: string, scale: number | null, offsetMinutes: number | undefined): string {
  const parts = splitSeconds(seconds)
  if (parts === undefined) return seconds
  const local = parts.whole + BigInt((offsetMinutes ?? 0) * 60)
  const inDay = ((local % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS
  const date = dateOf((local - inDay) / DAY_SECONDS)
  if (date === undefined) return seconds
  const zone = offsetMinutes === undefined ? '' : ` ${offsetText(offsetMinutes)}`
  return `${date} ${clockOf(inDay)}${fraction(parts.nanos, scale)}${zone}`
}

/** Exact: a number would lose the last digits of nanoseconds. The fraction counts forward in time, also before 1970. */
function splitSeconds(text: string): { readonly whole: bigint; readonly nanos: string } | undefined {
  const [, sign, whole, decimals = ''] = /^(-?)(\d{1,15})(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (whole === undefined) return undefined
  const nanos = BigInt(decimals.padEnd(9, '0'))
  if (sign === '') return { whole: BigInt(whole), nanos: digits(nanos, 9) }
  if (nanos === 0n) return { whole: -BigInt(whole), nanos: digits(0n, 9) }
  return { whole: -BigInt(whole) - 1n, nanos: digits(1_000_000_000n - nanos, 9) }
}

function dateOf(days: bigint): string | undefined {
  const date = new Date(Number(days) * 86_400_000)
  if (Number.isNaN(date.getTime())) return undefined
  const year = date.getUTCFullYear()
  const yearText = year < 0 ? `-${digits(-year, 4)}` : digits(year, 4)
  return `${yearText}-${digits(date.getUTCMonth() + 1, 2)}-${digits(date.getUTCDate(), 2)}`
}

function clockOf(seconds: bigint): string {
  return [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((part) => digits(part, 2)).join(':')
}

function fraction(nanos: string, scale: number | null): string {
  const places = scale ?? 9
  return places === 0 ? '' : `.${nanos.slice(0, places)}`
}

function offsetText(minutes: number): string {
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${digits(Math.floor(size / 60), 2)}${digits(size % 60, 2)}`
}

function digits(value: number | bigint, count: number): string {
  return String(value).padStart(count, '0')
}
