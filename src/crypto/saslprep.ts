import {
  isInTable,
  leftToRight,
  mappedToNothing,
  nonAsciiSpace,
  prohibited,
  rightToLeft,
  unassigned,
  type CodePointTable,
} from './saslprep-tables.ts'

/**
 * Prepares a password for SCRAM as Postgres does it on both of its sides (`pg_saslprep`): a password that SASLprep prohibits is
 * used as it is. Like Postgres, prohibited characters are looked for after mapping and before normalisation.
 *
 * @see RFC 4013 section 2; https://www.postgresql.org/docs/current/sasl-authentication.html
 */
export function saslprep(password: string): string {
  if (isAscii(password)) return password
  const mapped = [...password]
    .map((character) => (contains(nonAsciiSpace, character) ? ' ' : character))
    .filter((character) => !contains(mappedToNothing, character))
  const first = mapped[0]
  const last = mapped.at(-1)
  if (first === undefined || last === undefined) return password
  if (mapped.some((character) => contains(prohibited, character) || contains(unassigned, character))) return password
  if (mapped.some((character) => contains(rightToLeft, character))) {
    if (mapped.some((character) => contains(leftToRight, character))) return password
    if (!contains(rightToLeft, first) || !contains(rightToLeft, last)) return password
  }
  return mapped.join('').normalize('NFKC')
}

function contains(table: CodePointTable, character: string): boolean {
  return isInTable(character.codePointAt(0) ?? 0, table)
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false
  return true
}
