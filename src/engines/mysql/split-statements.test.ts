import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requireReading } from './read-only.ts'
import { quoteRules, splitStatements } from './split-statements.ts'

const rules = quoteRules('STRICT_TRANS_TABLES')
const texts = (sql: string, mode = '') => splitStatements(sql, quoteRules(mode)).map(({ text }) => text)

describe('statements of a text for MySQL', () => {
  it('are cut at semicolons, without the comments around them', () => {
    expect(texts('# first;\nselect 1; /* a /* b */ select 2 -- ;\n; -- end')).toEqual(['select 1', 'select 2'])
    expect(texts(';;\n--\n')).toEqual([])
  })

  it.each([
    String.raw`select ';', "a;", 'it''s;', 'a\';', "b\";", ${'`c;``d`'}`,
    'select 1--1, 2 - -2',
    "select _utf8mb4'x;', @`a;`, @'b;'",
  ])('are not cut inside of quotes: %s', (sql) => {
    expect(texts(sql)).toEqual([sql])
  })

  it('take a comment for one only where the server does', () => {
    expect(texts('select 1--;')).toEqual(['select 1--'])
    expect(texts('select 1-- ;')).toEqual(['select 1'])
  })

  it('follow the session’s sql_mode', () => {
    expect(texts(String.raw`select 'a\'; select 'b'`, 'NO_BACKSLASH_ESCAPES')).toHaveLength(2)
    expect(texts(String.raw`select "a\"; select 1`, 'ANSI')).toHaveLength(2)
    expect(texts(String.raw`select "a\"; select 1"`)).toHaveLength(1)
  })

  it('lose no character of the text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a;\'"`/*!-#\\\n 1') }), (sql) => {
        let from = 0
        for (const { text } of splitStatements(sql, rules)) {
          const at = sql.indexOf(text, from)
          expect(at).toBeGreaterThanOrEqual(from)
          from = at + text.length
        }
      }),
    )
  })
})

describe('a statement of a reader', () => {
  function check(sql: string): readonly string[] {
    const [statement] = splitStatements(sql, rules)
    if (statement === undefined) throw new Error('no statement')
    return requireReading(statement)
  }

  it.each(['select 1', '((select 1))', 'with x as (select 1) select * from x', 'SHOW TABLES', 'select `into` from t'])(
    'may be %s',
    (sql) => {
      expect(() => check(sql)).not.toThrow()
    },
  )

  it.each([
    'commit',
    '(delete from t)',
    '`select` 1',
    'select 1 into @a',
    'select /*!99999 1, */ 2',
    'select /*M!100000 1, */ 2',
    'select /*T![x] 1, */ 2',
    'select 1 for update',
    'select 1 lock in share mode',
    'select load_file(1)',
    'select `LOAD_FILE` (1)',
    'explain select 1 into outfile "x"',
    'select 1 --\u00a0 , 2 into @a',
    "select 1 --\u007f '\n into @a -- '",
    'select 1e1into @a',
    'select 1.into @a',
    'select .5e-3into @a',
    String.raw`select \Ninto @a`,
  ])('may not be %s', (sql) => {
    expect(() => check(sql)).toThrow(expect.objectContaining({ code: 'STATEMENT_NOT_READ_ONLY' }))
  })

  it('gives away the names of what it calls', () => {
    expect(check('select db.1e5f(1)')).toEqual(['1e5f'])
    expect(check('select F(1), `g``h` /* - */ ( ), shop.i(), count(*)')).toEqual(['f', 'g`h', 'i', 'count'])
  })
})
