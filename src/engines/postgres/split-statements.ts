/** Words and signs of a statement, without comments. */
export interface SqlToken {
  /** `unicode-name`: a `U&"…"` identifier, whose text is still escaped. */
  readonly kind: 'word' | 'name' | 'unicode-name' | 'string' | 'number' | 'symbol'
  /** A word in lower case (as Postgres folds it), a quoted name without its quotes, nothing of a string, one sign. */
  readonly text: string
}

export interface SplitStatement {
  /** Without comments around it and without the semicolon that ended it. */
  readonly text: string
  /** Where it begins in the whole text, in UTF-16 units. */
  readonly offset: number
  readonly tokens: readonly SqlToken[]
}

const SPACE = /[ \t\n\r\f\v]/
// Every character beyond ASCII may be part of a name (scan.l: \200-\377).
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z_\u0080-\uffff0-9$]*/y
const NUMBER = /\d[\d_]*|\$\d+/y
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z_\u0080-\uffff0-9]*)?\$/y
/** What lies between the pieces of a string that goes on in the next line. */
const CONTINUATION = /(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'/y
/** Longest name; the server cuts what is longer. */
const NAME_BYTES = 63

/**
 * Cuts a text into statements as the server's own lexer reads it, one by one: what a statement changes (see
 * `backslashEscapes`) counts for the next. A body between BEGIN ATOMIC and END is not cut, nor is what stands in parentheses.
 *
 * @param backslashEscapes whether a backslash escapes in plain strings now (standard_conforming_strings is off)
 * @see src/backend/parser/scan.l and src/fe_utils/psqlscan.l of PostgreSQL
 */
export function* splitStatements(sql: string, backslashEscapes: () => boolean): Generator<SplitStatement> {
  let at = 0
  while (at < sql.length) {
    const lexer = new StatementLexer(sql, at, backslashEscapes())
    const statement = lexer.read()
    at = lexer.at
    if (statement !== undefined) yield statement
  }
}

class StatementLexer {
  at: number
  readonly #sql: string
  readonly #backslashEscapes: boolean
  readonly #tokens: SqlToken[] = []
  readonly #routine = new RoutineBody()
  #start = -1
  #end = -1
  #parentheses = 0

  constructor(sql: string, at: number, backslashEscapes: boolean) {
    this.#sql = sql
    this.at = at
    this.#backslashEscapes = backslashEscapes
  }

  /** Reads up to the semicolon or the end, and past it. */
  read(): SplitStatement | undefined {
    while (this.at < this.#sql.length) {
      const char = this.#sql[this.at] as string
      if (SPACE.test(char)) this.at += 1
      else if (this.#sql.startsWith('--', this.at)) this.#skipLine()
      else if (this.#sql.startsWith('/*', this.at)) this.#skipBlock()
      else if (char === ';' && this.#parentheses === 0 && !this.#routine.isOpen) {
        this.at += 1
        break
      } else this.#token(char)
    }
    if (this.#start < 0) return undefined
    return { text: this.#sql.slice(this.#start, this.#end), offset: this.#start, tokens: this.#tokens }
  }

  #token(char: string): void {
    if (this.#start < 0) this.#start = this.at
    const token = this.#next(char)
    this.#tokens.push(token)
    this.#end = this.at
    if (token.text === '(' && token.kind === 'symbol') this.#parentheses += 1
    else if (token.text === ')' && token.kind === 'symbol') this.#parentheses = Math.max(0, this.#parentheses - 1)
    else if (token.kind === 'word' && this.#parentheses === 0) this.#routine.word(token.text)
  }

  #next(char: string): SqlToken {
    if (char === "'") return this.#string(this.#backslashEscapes, 1)
    if (char === '"') return this.#name('name', 1)
    const tag = char === '$' ? this.#match(DOLLAR_TAG) : undefined
    if (tag !== undefined) return this.#dollarString(tag)
    const number = this.#match(NUMBER)
    if (number !== undefined) {
      this.at += number.length
      return { kind: 'number', text: number }
    }
    const word = this.#match(WORD)
    if (word !== undefined) return this.#wordOrPrefix(word)
    this.at += 1
    return { kind: 'symbol', text: char }
  }

  #wordOrPrefix(word: string): SqlToken {
    const next = this.#sql[this.at + word.length]
    if (word.length === 1 && next === "'") {
      if ('eE'.includes(word)) return this.#string(true, 2)
      // B'…', X'…' and N'…': no escapes, except that N'…' is a plain string.
      if ('bBxX'.includes(word)) return this.#string(false, 2)
      if ('nN'.includes(word)) return this.#string(this.#backslashEscapes, 2)
    }
    if (word.length === 1 && 'uU'.includes(word) && next === '&') {
      if (this.#sql[this.at + 2] === "'") return this.#string(false, 3)
      if (this.#sql[this.at + 2] === '"') return this.#name('unicode-name', 3)
    }
    this.at += word.length
    // Only ASCII letters are folded for certain: what else is a letter is up to the server's locale.
    return { kind: 'word', text: cutName(word.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase())) }
  }

  #string(backslashEscapes: boolean, opening: number): SqlToken {
    this.at += opening
    for (;;) {
      const end = this.#stringEnd(backslashEscapes)
      this.at = end
      const more = this.#match(CONTINUATION)
      if (more === undefined) return { kind: 'string', text: '' }
      this.at += more.length
    }
  }

  #stringEnd(backslashEscapes: boolean): number {
    let at = this.at
    while (at < this.#sql.length) {
      const char = this.#sql[at]
      if (char === '\\' && backslashEscapes) at += 2
      else if (char !== "'") at += 1
      else if (this.#sql[at + 1] === "'") at += 2
      else return at + 1
    }
    return this.#sql.length
  }

  #name(kind: 'name' | 'unicode-name', opening: number): SqlToken {
    let text = ''
    let from = this.at + opening
    for (;;) {
      const quote = this.#sql.indexOf('"', from)
      const end = quote < 0 ? this.#sql.length : quote
      text += this.#sql.slice(from, end)
      if (this.#sql[end + 1] !== '"') {
        this.at = Math.min(this.#sql.length, end + 1)
        return { kind, text: cutName(text) }
      }
      text += '"'
      from = end + 2
    }
  }

  #dollarString(tag: string): SqlToken {
    const close = this.#sql.indexOf(tag, this.at + tag.length)
    this.at = close < 0 ? this.#sql.length : close + tag.length
    return { kind: 'string', text: '' }
  }

  #skipLine(): void {
    while (this.at < this.#sql.length && !'\n\r'.includes(this.#sql[this.at] as string)) this.at += 1
  }

  #skipBlock(): void {
    let depth = 0
    do {
      if (this.#sql.startsWith('/*', this.at)) depth += 1
      else if (this.#sql.startsWith('*/', this.at)) depth -= 1
      else {
        this.at += 1
        continue
      }
      this.at += 2
    } while (depth > 0 && this.at < this.#sql.length)
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at
    return pattern.exec(this.#sql)?.[0]
  }
}

/** Whether we are between BEGIN ATOMIC and END of CREATE [OR REPLACE] FUNCTION or PROCEDURE. Told of each word, as psql does. */
class RoutineBody {
  readonly #first: string[] = []
  #depth = 0

  get isOpen(): boolean {
    return this.#depth > 0
  }

  word(text: string): void {
    if (this.#first.length < 4) this.#first.push(text)
    const [create, ...rest] = this.#first
    const kind = rest[0] === 'or' && rest[1] === 'replace' ? rest[2] : rest[0]
    if (create !== 'create' || (kind !== 'function' && kind !== 'procedure')) return
    if (text === 'begin' || (text === 'case' && this.#depth > 0)) this.#depth += 1
    else if (text === 'end' && this.#depth > 0) this.#depth -= 1
  }
}

function cutName(name: string): string {
  if (name.length <= NAME_BYTES / 4 || Buffer.byteLength(name) <= NAME_BYTES) return name
  let cut = name.slice(0, NAME_BYTES)
  while (Buffer.byteLength(cut) > NAME_BYTES) cut = cut.slice(0, -1)
  return cut
}
