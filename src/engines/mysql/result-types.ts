import mysql from 'mysql2'
import type { Cell, ResultColumn } from '../query-events.ts'

/** A column as the driver reads it from the wire; its published types lack some. */
export interface WireColumn {
  readonly name: string
  readonly columnType: number
  readonly columnLength: number
  readonly decimals: number
  readonly flags: number
  readonly characterSet: number
  readonly encoding: string
  /** What MariaDB says beyond the protocol: `uuid`, `inet6`; `json` is a format of longtext. */
  readonly extendedTypeName?: string
  readonly extendedFormat?: string
}

const UNSIGNED = 32
const ENUM = 256
const SET = 2048
/** The character set of what is no text. Numbers and times have it too. */
const BINARY = 63
const { Types } = mysql

const PLAIN_NAMES: Readonly<Record<number, string>> = {
  [Types.FLOAT]: 'float',
  [Types.DOUBLE]: 'double',
  [Types.NULL]: 'null',
  [Types.DATE]: 'date',
  [Types.NEWDATE]: 'date',
  [Types.YEAR]: 'year',
  [Types.JSON]: 'json',
  [Types.GEOMETRY]: 'geometry',
  [Types.VECTOR]: 'vector',
}
const INTEGERS: Readonly<Record<number, string>> = {
  [Types.TINY]: 'tinyint',
  [Types.SHORT]: 'smallint',
  [Types.INT24]: 'mediumint',
  [Types.LONG]: 'int',
  [Types.LONGLONG]: 'bigint',
}
const TIMES: Readonly<Record<number, string>> = {
  [Types.TIME]: 'time',
  [Types.DATETIME]: 'datetime',
  [Types.TIMESTAMP]: 'timestamp',
}
/** As text and as bytes. */
const STRINGS: Readonly<Record<number, readonly [text: string, bytes: string]>> = {
  [Types.STRING]: ['char', 'binary'],
  [Types.VAR_STRING]: ['varchar', 'varbinary'],
  [Types.VARCHAR]: ['varchar', 'varbinary'],
  [Types.TINY_BLOB]: ['text', 'blob'],
  [Types.BLOB]: ['text', 'blob'],
  [Types.MEDIUM_BLOB]: ['text', 'blob'],
  [Types.LONG_BLOB]: ['text', 'blob'],
}
const ALWAYS_BYTES = new Set<number>([Types.BIT, Types.GEOMETRY, Types.VECTOR])
const MOST_FRACTION_DIGITS = 6

/** Columns with the names of their types, as CREATE TABLE would name them; of strings without lengths, which count bytes here. */
export function resultColumns(columns: readonly WireColumn[]): ResultColumn[] {
  return columns.map((column) => ({ name: column.name, type: typeName(column) }))
}

function typeName(column: WireColumn): string {
  const { columnType, columnLength, decimals, flags } = column
  if (column.extendedTypeName !== undefined) return column.extendedTypeName
  if (column.extendedFormat === 'json') return 'json'
  const isUnsigned = (flags & UNSIGNED) !== 0
  const unsigned = isUnsigned ? ' unsigned' : ''
  const integer = INTEGERS[columnType]
  if (integer !== undefined) return integer + unsigned
  const time = TIMES[columnType]
  if (time !== undefined) return decimals > 0 && decimals <= MOST_FRACTION_DIGITS ? `${time}(${decimals})` : time
  if (columnType === Types.DECIMAL || columnType === Types.NEWDECIMAL) {
    // The length counts the sign and the point.
    const digits = columnLength - (isUnsigned ? 0 : 1) - (decimals > 0 ? 1 : 0)
    return `decimal(${digits},${decimals})${unsigned}`
  }
  if (columnType === Types.BIT) return `bit(${columnLength})`
  if ((flags & ENUM) !== 0 || columnType === Types.ENUM) return 'enum'
  if ((flags & SET) !== 0 || columnType === Types.SET) return 'set'
  const string = STRINGS[columnType]
  if (string !== undefined) return isBytes(column) ? string[1] : string[0]
  return PLAIN_NAMES[columnType] ?? `type ${columnType}`
}

/** A value as the text protocol has it, untouched; bytes as `0x…`. */
export function cellOf(bytes: Buffer | null, column: WireColumn): Cell {
  if (bytes === null) return null
  if (isBytes(column)) return `0x${bytes.toString('hex').toUpperCase()}`
  return bytes.toString(Buffer.isEncoding(column.encoding) ? column.encoding : 'utf8')
}

function isBytes({ columnType, characterSet, extendedTypeName, extendedFormat }: WireColumn): boolean {
  if (ALWAYS_BYTES.has(columnType)) return true
  if (extendedFormat === 'json' || (extendedTypeName !== undefined && extendedTypeName !== 'vector')) return false
  return characterSet === BINARY && STRINGS[columnType] !== undefined
}
