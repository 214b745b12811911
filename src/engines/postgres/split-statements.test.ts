import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitStatements } from './split-statements.ts'

const texts = (sql: string, backslashEscapes = false) =>
  [...splitStatements(sql, () => backslashEscapes)].map(({ text }) => text)

describe('statements of a text for Postgres', () => {
  it('are cut at semicolons, without the comments around them', () => {
    expect(texts('-- first\nselect 1; /* then /* nested */ ; */ select 2 ;; -- end')).toEqual(['select 1', 'select 2'])
    expect(texts(' ;\n/* ; */')).toEqual([])
  })

  it.each([
    `select ';', "a;""b;", $$ ; $$, $t$ $$ ; $t$, 'it''s;'`,
    String.raw`select e'\';', E'a\\', n'x;', b'0', x'ff', u&'\0061;', U&"a;""b"`,
    "select e'a'\n  -- a comment\n 'b\\';' as continued",
    'create rule r as on insert to t do also (delete from a; delete from b)',
    'select $1, a$b$c, "x" -- comment ; \n + 1',
    String.raw`select 'a\', 1`,
    'create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end',
    'create procedure p() language sql begin atomic insert into t values (1); end',
  ])('are not cut inside of quotes, bodies and parentheses: %s', (sql) => {
    expect(texts(sql)).toEqual([sql])
    expect(texts(`${sql}; select 2`)).toEqual([sql, 'select 2'])
  })

  it('are cut behind BEGIN as a statement of its own', () => {
    expect(texts('begin; select 1; end')).toEqual(['begin', 'select 1', 'end'])
  })

  it('follow standard_conforming_strings from one statement to the next', () => {
    const sql = String.raw`select 'a\'; select 'b\'; c'`
    expect(texts(sql)).toHaveLength(3)
    expect(texts(sql, true)).toEqual([String.raw`select 'a\'; select 'b\'; c'`])
    let isOff = false
    const found: string[] = []
    for (const { text } of splitStatements(String.raw`set x; select 'a\';'`, () => isOff)) {
      found.push(text)
      isOff = true
    }
    expect(found).toEqual(['set x', String.raw`select 'a\';'`])
  })

  it('say what their words are: folded, or quoted, never out of a string', () => {
    const [statement] = splitStatements(`SELECT Set_Config /* x */ ('a'), "Weird""Name"(1), U&"\\0061"`, () => false)
    expect(statement?.tokens.map(({ kind, text }) => `${kind} ${text}`)).toEqual([
      'word select',
      'word set_config',
      'symbol (',
      'string ',
      'symbol )',
      'symbol ,',
      'name Weird"Name',
      'symbol (',
      'number 1',
      'symbol )',
      'symbol ,',
      'unicode-name \\0061',
    ])
  })

  it('cuts names as the server does, after 63 bytes', () => {
    const [statement] = splitStatements(`select ${'é'.repeat(40)}`, () => false)
    expect(statement?.tokens[1]?.text).toBe('é'.repeat(31))
  })

  it('keep every character of the text in its place, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ae;\'"$()/*-\\\n 1&U') }), (sql) => {
        let end = 0
        for (const { text, offset } of splitStatements(sql, () => false)) {
          expect(sql.slice(offset, offset + text.length)).toBe(text)
          expect(offset).toBeGreaterThanOrEqual(end)
          end = offset + text.length
        }
      }),
    )
  })
})
