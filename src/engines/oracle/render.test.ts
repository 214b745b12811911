import { describe, expect, it } from 'vitest'
import { renderOracleDate } from './render-dates.ts'
import { renderType, renderValue } from './render-values.ts'

/** 2026-11-23 08:15:30 in the server's own form. */
const date = [120, 126, 11, 23, 9, 16, 31]
const nanos = [0x07, 0x5b, 0xcd, 0x15]

describe('values of Oracle', () => {
  it.each([
    ['a DATE', date, false, '2026-11-23 08:15:30'],
    ['a TIMESTAMP to the nanosecond', [...date, ...nanos], false, '2026-11-23 08:15:30.123456789'],
    ['a time zone', [...date, ...nanos, 20 - 8, 60], false, '2026-11-23 00:15:30.123456789 -08:00'],
    ['a time zone of half hours', [...date, ...nanos, 20 + 5, 60 + 30], false, '2026-11-23 13:45:30.123456789 +05:30'],
    ['a time zone by name', [...date, ...nanos, 0x81, 0x30], false, '2026-11-23 08:15:30.123456789 +00:00'],
    ['the zone of the database', [...date, ...nanos], true, '2026-11-23 08:15:30.123456789'],
    ['a year before Christ', [53, 88, 1, 1, 1, 1, 1], false, '-4712-01-01 00:00:00'],
    ['the first century', [100, 101, 1, 1, 1, 1, 1], false, '0001-01-01 00:00:00'],
  ])('show %s', (_name, bytes, isInDatabaseZone, shown) => {
    expect(renderOracleDate(Buffer.from(bytes), isInDatabaseZone)).toBe(shown)
  })

  it.each([
    [null, null],
    ['12345678901234567890.12', '12345678901234567890.12'],
    [Buffer.from([0xca, 0xfe]), 'CAFE'],
    [1.5, '1.5'],
    [true, 'TRUE'],
    [new Float32Array([1, 2]), '[1,2]'],
    [{ years: -1, months: -2 }, '-01-02'],
    [{ days: 3, hours: 4, minutes: 5, seconds: 6, fseconds: 7 }, '+03 04:05:06.000000007'],
    [{ a: 1 }, '{"a":1}'],
  ])('show %o as %s', (value, shown) => {
    expect(renderValue(value)).toBe(shown)
  })

  it.each([
    [{ dbTypeName: 'NUMBER', precision: 10, scale: 2 }, 'NUMBER(10,2)'],
    [{ dbTypeName: 'NUMBER', precision: 0, scale: -127 }, 'NUMBER'],
    [{ dbTypeName: 'VARCHAR2', byteSize: 30 }, 'VARCHAR2(30)'],
    [{ dbTypeName: 'DATE' }, 'DATE'],
  ])('have the type %o', (column, shown) => {
    expect(renderType({ name: 'c', dbType: { name: '' }, ...column })).toBe(shown)
  })
})
