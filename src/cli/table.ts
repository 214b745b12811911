import { displayWidth, fitTo, printable } from './printable.ts'

/** One column of a list. */
export interface Column<Item> {
  readonly title: string
  /** Text of the cell; null and undefined are shown as `-`. */
  text(item: Item): string | null | undefined
  /** Never cut: something that a person copies into the next command. */
  readonly keep?: boolean
}

const gap = 2
const minimumWidth = 6

/**
 * Items as aligned columns under a header. On a terminal the widest columns are cut so that every item takes one line;
 * elsewhere (`columns` undefined) nothing is cut.
 */
export function renderTable<Item>(items: readonly Item[], columns: readonly Column<Item>[], width?: number): string {
  const rows = items.map((item) => columns.map((column) => printable(column.text(item) ?? '-')))
  const lines = [columns.map((column) => column.title), ...rows]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => displayWidth(line[index] ?? ''))))
  if (width !== undefined) shrink(widths, columns, width)
  return lines
    .map((line) =>
      line
        .map((cell, index) => pad(cell, widths[index] ?? 0))
        .join(' '.repeat(gap))
        .trimEnd(),
    )
    .join('\n')
}

/** Label and value, one per line, with the values under each other. */
export function renderFields(fields: readonly (readonly [label: string, value: string | null | undefined])[]): string {
  const width = Math.max(...fields.map(([label]) => displayWidth(label))) + 1
  return fields.map(([label, value]) => `${pad(`${label}:`, width)}  ${printable(value ?? '-')}`).join('\n')
}

function shrink<Item>(widths: number[], columns: readonly Column<Item>[], width: number): void {
  let excess = widths.reduce((sum, each) => sum + each + gap, -gap) - width
  while (excess > 0) {
    const cuttable = widths.map((each, index) => (columns[index]?.keep ? 0 : each))
    const widest = Math.max(...cuttable)
    if (widest <= minimumWidth) return
    widths[cuttable.indexOf(widest)] = widest - 1
    excess -= 1
  }
}

function pad(text: string, width: number): string {
  const fitted = fitTo(text, width)
  return fitted + ' '.repeat(Math.max(0, width - displayWidth(fitted)))
}
