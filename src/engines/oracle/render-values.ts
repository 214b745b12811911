import type { FetchedColumn } from 'oracledb'
import type { Cell } from '../query-events.ts'

/** A type as Oracle writes it: `NUMBER(10,2)`, `VARCHAR2(30)`. */
export function renderType({ dbTypeName, precision, scale, byteSize }: FetchedColumn): string {
  if (dbTypeName === 'NUMBER' && precision !== undefined && precision > 0) {
    return scale === undefined || scale === -127 ? `NUMBER(${precision})` : `NUMBER(${precision},${scale})`
  }
  const isSized = /^(?:N?VARCHAR2?|N?CHAR|RAW)$/.test(dbTypeName)
  return isSized && byteSize !== undefined && byteSize > 0 ? `${dbTypeName}(${byteSize})` : dbTypeName
}

/** A value as text. Numbers, dates and times already are; binary is hex, as Oracle prints it. */
export function renderValue(value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (Buffer.isBuffer(value)) return value.toString('hex').toUpperCase()
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (ArrayBuffer.isView(value)) return JSON.stringify([...(value as unknown as Iterable<number>)])
  return renderInterval(value as Readonly<Record<string, unknown>>) ?? JSON.stringify(value)
}

function renderInterval(value: Readonly<Record<string, unknown>>): string | undefined {
  const part = (name: string): number => (typeof value[name] === 'number' ? value[name] : 0)
  if ('years' in value && 'months' in value) {
    const [years, months] = [part('years'), part('months')]
    return `${years < 0 || months < 0 ? '-' : '+'}${digits(years)}-${digits(months)}`
  }
  if (!('days' in value && 'hours' in value)) return undefined
  const parts = ['days', 'hours', 'minutes', 'seconds', 'fseconds'].map(part)
  const [days = 0, hours = 0, minutes = 0, seconds = 0, nanos = 0] = parts
  const clock = [hours, minutes, seconds].map(digits).join(':')
  return `${parts.some((each) => each < 0) ? '-' : '+'}${digits(days)} ${clock}.${String(Math.abs(nanos)).padStart(9, '0')}`
}

function digits(value: number): string {
  return String(Math.abs(value)).padStart(2, '0')
}
