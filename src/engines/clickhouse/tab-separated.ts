import type { Cell } from '../query-events.ts'

const NEWLINE = 0x0a
const TAB = 0x09
const BACKSLASH = 0x5c
/** A row longer than this is not read. */
const MAX_LINE_BYTES = 32 * 1024 * 1024

const UNESCAPED: Readonly<Record<string, number>> = { b: 8, f: 12, r: 13, n: 10, t: 9, '0': 0, v: 11, a: 7, e: 27 }
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Cuts bytes into lines; what follows the last newline waits for more. */
export class LineReader {
  #rest: Buffer[] = []
  #restBytes = 0

  /** Whole lines without their newlines; valid for ever. @throws RangeError when one is too long to be read */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(this.#join(chunk.subarray(start, end)))
      start = end + 1
    }
    const rest = chunk.subarray(start)
    this.#restBytes += rest.length
    if (this.#restBytes > MAX_LINE_BYTES) throw new RangeError(`a row is longer than ${MAX_LINE_BYTES} bytes`)
    if (rest.length > 0) this.#rest.push(Buffer.from(rest))
    return lines
  }

  /** What came without a newline, at the end of everything. */
  end(): Buffer | undefined {
    return this.#restBytes === 0 ? undefined : this.#join(Buffer.alloc(0))
  }

  #join(last: Buffer): Buffer {
    const line = this.#rest.length === 0 ? Buffer.from(last) : Buffer.concat([...this.#rest, last])
    this.#rest = []
    this.#restBytes = 0
    return line
  }
}

/** How the text of a cell is written: with the escapes of the format, or with those of SQL inside its quotes. */
export type CellForm = 'escaped' | 'literal'

/** Values of these types are printed with quoted parts, as in SQL; taking their escapes away would make them ambiguous. */
const LITERAL_TYPES = /^(?:Array|Tuple|Map|Nested|Point|Ring|LineString|MultiLineString|Polygon|MultiPolygon)\b/

/** How the cells of a column are written, by its type. */
export function cellForm(type: string): CellForm {
  return LITERAL_TYPES.test(type) ? 'literal' : 'escaped'
}

/** The cells of a line of the format TabSeparated, each as the database prints it. */
export function readCells(line: Uint8Array, forms: readonly CellForm[] = []): Cell[] {
  const text = decodeStrictly(line)
  if (text === undefined) return readBytes(line, forms)
  return text.split('\t').map((cell, index) => (forms[index] === 'literal' ? cell : unescapeText(cell)))
}

function unescapeText(cell: string): Cell {
  if (!cell.includes('\\')) return cell
  // `\N` stands for NULL; a string of these two characters has its backslash escaped.
  if (cell === '\\N') return null
  return cell.replace(/\\(.)/gs, (_, escaped: string) => {
    const code = UNESCAPED[escaped]
    return code === undefined ? escaped : String.fromCharCode(code)
  })
}

/** As {@link readCells}, for a line that is no UTF-8: byte by byte. */
function readBytes(line: Uint8Array, forms: readonly CellForm[]): Cell[] {
  const cells: Cell[] = []
  for (let start = 0; ;) {
    const tab = line.indexOf(TAB, start)
    const bytes = line.subarray(start, tab < 0 ? line.length : tab)
    cells.push(forms[cells.length] === 'literal' ? asText(bytes) : readCell(bytes))
    if (tab < 0) return cells
    start = tab + 1
  }
}

function readCell(bytes: Uint8Array): Cell {
  if (!bytes.includes(BACKSLASH)) return asText(bytes)
  // `\N` stands for NULL; a string of these two characters has its backslash escaped.
  if (bytes.length === 2 && bytes[1] === 0x4e) return null
  const plain = new Uint8Array(bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at += 1) {
    let byte = bytes[at] ?? 0
    if (byte === BACKSLASH && at + 1 < bytes.length) {
      at += 1
      const escaped = bytes[at] ?? 0
      byte = UNESCAPED[String.fromCharCode(escaped)] ?? escaped
    }
    plain[length] = byte
    length += 1
  }
  return asText(plain.subarray(0, length))
}

/** A String of ClickHouse holds any bytes: what is no UTF-8 is shown byte by byte, as it would be written in SQL. */
function asText(bytes: Uint8Array): string {
  const hex = (byte: number): string => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
  const byByte = (): string =>
    Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hex(byte))).join('')
  return decodeStrictly(bytes) ?? byByte()
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined // no UTF-8
  }
}
