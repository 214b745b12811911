import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scanStatements, type LexicalRules } from './scan-statements.ts'

const rules: LexicalRules = {
  lineComments: ['--', '//'],
  nestedComments: false,
  backslashEscapes: true,
  escapesInNames: false,
  stringQuotes: "'",
  nameQuotes: '"',
  tripleQuotes: false,
  dollarQuotes: 'plain',
  alternativeQuotes: false,
}

const texts = (sql: string, more: Partial<LexicalRules> = {}) =>
  scanStatements(sql, { ...rules, ...more }).map(({ text }) => text)

describe('statements of a text', () => {
  it('are cut at semicolons, without the comments around them', () => {
    expect(texts('-- first\nSELECT 1; /* then */ SELECT 2 ; // end')).toEqual(['SELECT 1', 'SELECT 2'])
    expect(texts('  ;; \n')).toEqual([])
  })

  it.each([
    [`SELECT ';', "a;b", $$ ; $$, 'it''s;', '\\';'`, {}],
    ["SELECT q'[it's; ]', nq'!a;b!', 1", { alternativeQuotes: true, backslashEscapes: false }],
    ['SELECT """a;\n"b""", `c;d`', { tripleQuotes: true, stringQuotes: `'"`, nameQuotes: '`' }],
    ['SELECT $tag$ ; $$ ; $tag$', { dollarQuotes: 'tagged', backslashEscapes: false }],
    ['SELECT 1 /* /* ; */ ; */ + 1', { nestedComments: true }],
  ] as [string, Partial<LexicalRules>][])('are not cut inside quotes and comments: %s', (sql, more) => {
    expect(texts(sql, more)).toEqual([sql])
  })

  it('say where they begin, and what their words are, in upper case', () => {
    const [, second] = scanStatements('select 1;\n  insert into "My Table" values (1)', rules)
    expect(second).toMatchObject({ offset: 12, isOpen: false })
    expect(second?.tokens.map(({ text }) => text)).toEqual(['INSERT', 'INTO', 'My Table', 'VALUES', '(', '1', ')'])
  })

  it('are marked where a quote or a comment has no end', () => {
    expect(scanStatements("SELECT 'a; b", rules)).toMatchObject([{ text: "SELECT 'a; b", isOpen: true }])
    expect(scanStatements('SELECT 1 /* DROP', rules)).toMatchObject([{ text: 'SELECT 1', isOpen: true }])
  })

  it('may hold semicolons of their own, up to a line that is only a slash', () => {
    const isBlock: LexicalRules['isBlock'] = (tokens) => tokens[0]?.text === 'BEGIN'
    expect(texts('BEGIN a; b; END;\n/\nSELECT 4 / 2;', { isBlock })).toEqual(['BEGIN a; b; END;', 'SELECT 4 / 2'])
    expect(texts('BEGIN a / 2;\n2 / 1; END;\n \t/ \r\nSELECT 4;\n/', { isBlock })).toEqual([
      'BEGIN a / 2;\n2 / 1; END;',
      'SELECT 4',
    ])
  })

  it('are cut in a time that grows no faster than the text', () => {
    const isBlock: LexicalRules['isBlock'] = (tokens) => tokens[0]?.text === 'BEGIN'
    for (const sign of ['/', '/ ', '\n/', ';', '; /', '(', "'' ", '"" ', '--', 'q', "q'", '$$', 'BEGIN;', 'BEGIN /']) {
      const text = sign.repeat(((sign === '/' ? 4 : 0.5) * 1024 * 1024) / sign.length)
      scanStatements(text, { ...rules, isBlock, alternativeQuotes: true })
    }
  })

  it('keep every character of the text in its place, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'a;\'"$q[]/*-\\\n `#') }), (sql) => {
        for (const { text, offset } of scanStatements(sql, rules)) {
          expect(sql.slice(offset, offset + text.length)).toBe(text)
        }
      }),
    )
  })
})
