/** How an engine's SQL is cut into words, as far as finding its statements needs. */
export interface LexicalRules {
  /** What begins a comment that the line ends: `--`, `#`, `//`. */
  readonly lineComments: readonly string[]
  /** A block comment may hold others. */
  readonly nestedComments: boolean
  /** A backslash keeps the next character from ending a quoted text. */
  readonly backslashEscapes: boolean
  /** It does so in quoted names too. */
  readonly escapesInNames: boolean
  /** What encloses strings: `'`, and where `"` does too, that as well. */
  readonly stringQuotes: string
  /** What encloses names. */
  readonly nameQuotes: string
  /** `'''…'''` and `"""…"""`. */
  readonly tripleQuotes: boolean
  /** `$$…$$`, or `$tag$…$tag$` too. */
  readonly dollarQuotes: 'none' | 'plain' | 'tagged'
  /** `q'[…]'` with any delimiter. */
  readonly alternativeQuotes: boolean
  /** Statements that hold semicolons of their own and end at a line that is only a slash. */
  readonly isBlock?: (tokens: readonly SqlToken[]) => boolean
}

export interface SqlToken {
  /** `word`: keyword or bare name. */
  readonly kind: 'word' | 'name' | 'string' | 'symbol'
  /** A word in upper case, a quoted name without its quotes, nothing of a string, a symbol as it is. */
  readonly text: string
}

export interface ScannedStatement {
  /** Without the comments around it and without the semicolon that ended it. */
  readonly text: string
  /** Where it begins in the whole text, in characters. */
  readonly offset: number
  readonly tokens: readonly SqlToken[]
  /** A quote or comment has no end. */
  readonly isOpen: boolean
}

const SPACE = /\s/
const WORD_START = /[\p{L}_]/u
const WORD_PART = /[\p{L}\p{N}_$#]/u
const CLOSING: Readonly<Record<string, string>> = { '[': ']', '{': '}', '(': ')', '<': '>' }

/** Cuts a text into its statements. Never throws: what is malformed is for the database to report. */
export function scanStatements(sql: string, rules: LexicalRules): readonly ScannedStatement[] {
  return new Scanner(sql, rules).scan()
}

class Scanner {
  readonly #sql: string
  readonly #rules: LexicalRules
  readonly #statements: ScannedStatement[] = []
  #at = 0
  #tokens: SqlToken[] = []
  #start = 0
  #end = 0
  #isOpen = false

  constructor(sql: string, rules: LexicalRules) {
    this.#sql = sql
    this.#rules = rules
  }

  scan(): readonly ScannedStatement[] {
    while (this.#at < this.#sql.length) this.#step()
    this.#finish()
    return this.#statements
  }

  #step(): void {
    const char = this.#sql[this.#at] ?? ''
    if (SPACE.test(char)) this.#at += 1
    else if (this.#skipComment()) return
    else if (char === ';' && this.#rules.isBlock?.(this.#tokens) !== true) this.#cut(1)
    else if (char === '/' && this.#rules.isBlock !== undefined && this.#isSlashLine()) this.#cut(1)
    else if (this.#takeQuoted(char)) return
    else if (WORD_START.test(char)) this.#takeWord()
    else this.#take('symbol', 1, char)
  }

  #cut(length: number): void {
    this.#at += length
    this.#finish()
  }

  #finish(): void {
    if (this.#tokens.length > 0) {
      const text = this.#sql.slice(this.#start, this.#end)
      this.#statements.push({ text, offset: this.#start, tokens: this.#tokens, isOpen: this.#isOpen })
    }
    this.#tokens = []
    this.#isOpen = false
  }

  #take(kind: SqlToken['kind'], length: number, text: string): void {
    if (this.#tokens.length === 0) this.#start = this.#at
    this.#at = Math.min(this.#sql.length, this.#at + length)
    this.#end = this.#at
    this.#tokens.push({ kind, text })
  }

  #takeWord(): void {
    let end = this.#at + 1
    while (end < this.#sql.length && WORD_PART.test(this.#sql[end] ?? '')) end += 1
    const word = this.#sql.slice(this.#at, end).toUpperCase()
    if (this.#rules.alternativeQuotes && (word === 'Q' || word === 'NQ') && this.#sql[end] === "'") {
      const open = this.#sql[end + 1] ?? ''
      this.#takeUntil('string', `${CLOSING[open] ?? open}'`, end + 2)
    } else {
      this.#take('word', end - this.#at, word)
    }
  }

  #takeQuoted(char: string): boolean {
    const { stringQuotes, nameQuotes, tripleQuotes } = this.#rules
    if (char === '$') return this.#takeDollarQuoted()
    const isString = stringQuotes.includes(char)
    if (!isString && !nameQuotes.includes(char)) return false
    const triple = char.repeat(3)
    if (tripleQuotes && isString && this.#sql.startsWith(triple, this.#at)) {
      this.#takeUntil('string', triple, this.#at + 3)
      return true
    }
    this.#takeUntil(isString ? 'string' : 'name', char, this.#at + 1)
    return true
  }

  #takeDollarQuoted(): boolean {
    const pattern = { none: undefined, plain: /\$\$/y, tagged: /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy }[
      this.#rules.dollarQuotes
    ]
    if (pattern === undefined) return false
    pattern.lastIndex = this.#at
    const tag = pattern.exec(this.#sql)?.[0]
    if (tag === undefined) return false
    const close = this.#sql.indexOf(tag, this.#at + tag.length)
    this.#closeAt('string', close, tag.length, '')
    return true
  }

  /** A doubled quote needs no rule of its own: it ends one text and begins the next, which changes no boundary. */
  #takeUntil(kind: 'string' | 'name', close: string, from: number): void {
    const skipsBackslash = kind === 'name' ? this.#rules.escapesInNames : this.#rules.backslashEscapes
    let end = from
    while (end < this.#sql.length && !this.#sql.startsWith(close, end)) {
      end += skipsBackslash && this.#sql[end] === '\\' ? 2 : 1
    }
    const isClosed = end < this.#sql.length
    this.#closeAt(kind, isClosed ? end : -1, close.length, kind === 'name' ? this.#sql.slice(from, end) : '')
  }

  #closeAt(kind: 'string' | 'name', closeAt: number, closeLength: number, text: string): void {
    if (closeAt < 0) this.#isOpen = true
    const end = closeAt < 0 ? this.#sql.length : closeAt + closeLength
    this.#take(kind, end - this.#at, text)
  }

  #skipComment(): boolean {
    if (this.#rules.lineComments.some((opening) => this.#sql.startsWith(opening, this.#at))) {
      const end = this.#sql.indexOf('\n', this.#at)
      this.#at = end < 0 ? this.#sql.length : end + 1
      return true
    }
    if (!this.#sql.startsWith('/*', this.#at)) return false
    this.#skipBlockComment()
    return true
  }

  #skipBlockComment(): void {
    let depth = 1
    this.#at += 2
    while (depth > 0 && this.#at < this.#sql.length) {
      if (this.#sql.startsWith('*/', this.#at)) depth -= 1
      else if (this.#rules.nestedComments && this.#sql.startsWith('/*', this.#at)) depth += 1
      else {
        this.#at += 1
        continue
      }
      this.#at += 2
    }
    if (depth > 0) this.#isOpen = true
  }

  /** Looks no further than the nearest sign on either side, so that many slashes in one line cost no more than few. */
  #isSlashLine(): boolean {
    return isLineEdge(this.#sql, this.#at, -1) && isLineEdge(this.#sql, this.#at, 1)
  }
}

function isLineEdge(sql: string, from: number, step: 1 | -1): boolean {
  let at = from + step
  while (sql[at] !== '\n' && SPACE.test(sql[at] ?? '')) at += step
  return sql[at] === undefined || sql[at] === '\n'
}
