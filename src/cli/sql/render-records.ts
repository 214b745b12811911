import { displayWidth, fitTo, printable } from '../printable.ts'

/** Rows of many columns, one value a line: `name  value`, with a rule above each row. */
export function renderRecords(
  names: readonly string[],
  rows: readonly (readonly (string | null)[])[],
  width: number,
): string {
  const labels = names.map(printable)
  const widest = Math.min(Math.max(...labels.map(displayWidth)), Math.floor(width / 3))
  const lines = rows.flatMap((row, index) => {
    const heading = `─ row ${index + 1} `
    const values = labels.map((label, column) => {
      const fitted = fitTo(label, widest)
      const value = fitTo(printable(row[column] ?? 'NULL'), Math.max(10, width - widest - 2))
      return `${fitted}${' '.repeat(widest - displayWidth(fitted))}  ${value}`
    })
    return [heading + '─'.repeat(Math.max(0, Math.min(width, 60) - heading.length)), ...values]
  })
  return lines.join('\n')
}
