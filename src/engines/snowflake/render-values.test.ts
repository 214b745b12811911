import { describe, expect, it } from 'vitest'
import { readColumns, renderType, renderValue } from './render-values.ts'

const column = (type: string, more: Readonly<Record<string, number>> = {}) => {
  const [read] = readColumns([{ name: 'c', type, ...more }])
  if (read === undefined) throw new Error('no column')
  return read
}

describe('values of Snowflake', () => {
  it.each([
    ['date', {}, '18262', '2020-01-01'],
    ['date', {}, '-1', '1969-12-31'],
    ['date', {}, '2932896', '9999-12-31'],
    ['time', { scale: 9 }, '82919.000000001', '23:01:59.000000001'],
    ['time', { scale: 0 }, '82919.000000000', '23:01:59'],
    ['timestamp_ntz', { scale: 9 }, '1611871777.123456789', '2021-01-28 22:09:37.123456789'],
    ['timestamp_ntz', { scale: 3 }, '1611871777.123000000', '2021-01-28 22:09:37.123'],
    ['timestamp_ntz', { scale: 9 }, '-0.000000001', '1969-12-31 23:59:59.999999999'],
    ['timestamp_ntz', { scale: 0 }, '-86400.000000000', '1969-12-31 00:00:00'],
    ['timestamp_ltz', { scale: 3 }, '0.000000000', '1970-01-01 00:00:00.000 +0000'],
    ['timestamp_tz', { scale: 3 }, '1616173619.000000000 960', '2021-03-19 09:06:59.000 -0800'],
    ['timestamp_tz', { scale: 0 }, '1616173619.000000000 1770', '2021-03-19 22:36:59 +0530'],
    [
      'fixed',
      { precision: 38, scale: 2 },
      '12345678901234567890123456789012345678',
      '12345678901234567890123456789012345678',
    ],
    ['real', {}, '1.5', '1.5'],
    ['boolean', {}, 'true', 'true'],
    ['binary', {}, 'CAFE', 'CAFE'],
    ['variant', {}, '{"a":[1,null]}', '{"a":[1,null]}'],
    ['text', {}, '18262', '18262'],
    ['date', {}, 'later', 'later'],
  ] as const)('%s %o %s is shown as %s', (type, more, value, shown) => {
    expect(renderValue(value, column(type, more))).toBe(shown)
  })

  it('are NULL where they are null', () => {
    expect(renderValue(null, column('date'))).toBeNull()
  })

  it.each([
    ['fixed', { precision: 10, scale: 2 }, 'NUMBER(10,2)'],
    ['text', { length: 16 }, 'VARCHAR(16)'],
    ['real', {}, 'FLOAT'],
    ['timestamp_tz', { scale: 9 }, 'TIMESTAMP_TZ(9)'],
    ['variant', {}, 'VARIANT'],
  ] as const)('have the type %s %o as %s', (type, more, shown) => {
    expect(renderType(column(type, more))).toBe(shown)
  })
})
