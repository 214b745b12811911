const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** Control characters, and the marks that change the order in which a terminal draws what follows. */
const unprintable = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

const doubleWidth =
  /^(?:\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}])/u

/**
 * Text of others as one safe line: names and messages come from other people and must not steer the terminal that shows them
 * (escape sequences, line breaks, reversed writing).
 */
export function printable(text: string): string {
  return text.replace(unprintable, (character) =>
    character === '\n' || character === '\t' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** How many columns of a terminal the text takes. */
export function displayWidth(text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += doubleWidth.test(segment) ? 2 : 1
  return columns
}

/** The text, cut with an ellipsis where it is wider than `columns`. */
export function fitTo(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  let cut = ''
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += doubleWidth.test(segment) ? 2 : 1
    if (used > columns - 1) break
    cut += segment
  }
  return `${cut}…`
}
