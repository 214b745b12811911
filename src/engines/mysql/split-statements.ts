/** Words and signs of a statement, without comments. */
export interface SqlToken {
  /** `executable`: a comment that the server runs (it begins with `/*!`, `/*M!` of MariaDB or `/*T!` of TiDB). */
  readonly kind: 'word' | 'name' | 'string' | 'symbol' | 'executable'
  /** A word in lower case, a quoted name without its quotes, one sign; nothing of a string. */
  readonly text: string
}

export interface SplitStatement {
  /** Without comments around it and without the semicolon that ended it. */
  readonly text: string
  readonly tokens: readonly SqlToken[]
}

/** What of the session's sql_mode changes where a text ends. */
export interface QuoteRules {
  /** ANSI_QUOTES: `"` encloses names. */
  readonly ansiQuotes: boolean
  /** NO_BACKSLASH_ESCAPES. */
  readonly noBackslashEscapes: boolean
}

const SPACE = /\s/
const WORD = /[A-Za-z0-9_$\u0080-\uffff]+/y
/** A number that ends where a letter comes: `1e5INTO` is a number and a word, though `5INTO` is one name. */
const NUMBER = /(?:\d+\.\d*|\.\d+)(?:e[+-]?\d+)?|\d+e[+-]?\d+/iy
const NAME_PART = /[A-Za-z0-9_$\u0080-\uffff]/
const EXECUTABLE = /\/\*(?:M?!|T!)/y

/** Reads the rules from a session's sql_mode. */
export function quoteRules(sqlMode: string): QuoteRules {
  const modes = sqlMode.toUpperCase().split(',')
  const ansi = ['ANSI', 'ANSI_QUOTES', 'ORACLE', 'MSSQL', 'POSTGRESQL', 'DB2', 'MAXDB']
  return {
    ansiQuotes: modes.some((mode) => ansi.includes(mode)),
    noBackslashEscapes: modes.includes('NO_BACKSLASH_ESCAPES'),
  }
}

/**
 * Cuts a text into statements as the server's lexer reads it. Bodies of stored programs are cut as well: this is for text that
 * must not hold any.
 * @see sql/sql_lex.cc of MySQL
 */
export function splitStatements(sql: string, rules: QuoteRules): SplitStatement[] {
  const statements: SplitStatement[] = []
  const lexer = new Lexer(sql, rules)
  let statement: SplitStatement | undefined
  while ((statement = lexer.next()) !== undefined) if (statement.tokens.length > 0) statements.push(statement)
  return statements
}

class Lexer {
  readonly #sql: string
  readonly #rules: QuoteRules
  #at = 0

  constructor(sql: string, rules: QuoteRules) {
    this.#sql = sql
    this.#rules = rules
  }

  /** Reads up to the next semicolon, and past it. */
  next(): SplitStatement | undefined {
    if (this.#at >= this.#sql.length) return undefined
    const tokens: SqlToken[] = []
    let start = -1
    let end = -1
    while (this.#at < this.#sql.length) {
      const char = this.#sql[this.#at] as string
      if (SPACE.test(char)) this.#at += 1
      else if (this.#isLineComment(char)) this.#skipLine()
      else if (char === ';') {
        this.#at += 1
        break
      } else {
        const at = this.#at
        const token = this.#token(char)
        if (token === undefined) continue
        if (start < 0) start = at
        tokens.push(token)
        end = this.#at
      }
    }
    return { text: start < 0 ? '' : this.#sql.slice(start, end), tokens }
  }

  #token(char: string): SqlToken | undefined {
    if (this.#sql.startsWith('/*', this.#at)) return this.#comment()
    if (char === "'") return this.#quoted('string', char)
    if (char === '"') return this.#quoted(this.#rules.ansiQuotes ? 'name' : 'string', char)
    if (char === '`') return this.#quoted('name', char)
    // NULL of old, which ends at its letter.
    if (this.#sql.startsWith('\\N', this.#at)) return this.#taken('symbol', '\\N')
    NUMBER.lastIndex = this.#at
    const number = this.#isInName(char) ? undefined : NUMBER.exec(this.#sql)?.[0]
    if (number !== undefined) return this.#taken('symbol', number)
    WORD.lastIndex = this.#at
    const word = WORD.exec(this.#sql)?.[0]
    if (word !== undefined) return this.#taken('word', word)
    return this.#taken('symbol', char)
  }

  /** In `a.1e5f` all is a name. */
  #isInName(char: string): boolean {
    const before = this.#sql[this.#at - 1] ?? ' '
    if (char === '.') return NAME_PART.test(before)
    return before === '.' && NAME_PART.test(this.#sql[this.#at - 2] ?? ' ')
  }

  #taken(kind: 'word' | 'symbol', text: string): SqlToken {
    this.#at += text.length
    return { kind, text: text.toLowerCase() }
  }

  #quoted(kind: 'string' | 'name', quote: string): SqlToken {
    const escapes = kind === 'string' && !this.#rules.noBackslashEscapes
    let at = this.#at + 1
    let text = ''
    while (at < this.#sql.length) {
      const char = this.#sql[at] as string
      if (char === '\\' && escapes) at += 2
      else if (char !== quote) {
        if (kind === 'name') text += char
        at += 1
      } else if (this.#sql[at + 1] === quote) {
        text += kind === 'name' ? quote : ''
        at += 2
      } else {
        at += 1
        break
      }
    }
    this.#at = Math.min(at, this.#sql.length)
    return { kind, text }
  }

  #comment(): SqlToken | undefined {
    EXECUTABLE.lastIndex = this.#at
    const isExecutable = EXECUTABLE.test(this.#sql)
    const close = this.#sql.indexOf('*/', this.#at + 2)
    this.#at = close < 0 ? this.#sql.length : close + 2
    return isExecutable ? { kind: 'executable', text: '' } : undefined
  }

  #isLineComment(char: string): boolean {
    if (char === '#') return true
    if (!this.#sql.startsWith('--', this.#at)) return false
    const after = this.#sql[this.#at + 2]
    // `1--1` is a difference: only a blank or a control character of ASCII, or the end, makes it a comment.
    // oxlint-disable-next-line no-control-regex
    return after === undefined || /[\u0000-\u0020\u007f]/.test(after)
  }

  #skipLine(): void {
    const end = this.#sql.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#sql.length : end + 1
  }
}
