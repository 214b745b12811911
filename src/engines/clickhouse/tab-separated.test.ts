import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellForm, LineReader, readCells } from './tab-separated.ts'

describe('an answer of ClickHouse', () => {
  it('is cut into the same lines however its bytes arrive', () => {
    const text = 'one\ttwo\n\nä\\n\nlast'
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), (sizes) => {
        const bytes = Buffer.from(text)
        const reader = new LineReader()
        const lines: string[] = []
        for (let at = 0, index = 0; at < bytes.length; index += 1) {
          const size = sizes[index % sizes.length] ?? 1
          lines.push(...reader.push(bytes.subarray(at, at + size)).map(String))
          at += size
        }
        expect([...lines, String(reader.end())]).toEqual(['one\ttwo', '', 'ä\\n', 'last'])
      }),
    )
  })

  it.each<[string, (string | null)[]]>([
    ['1\ttext\t', ['1', 'text', '']],
    ['\\N\t\\\\N\tN', [null, '\\N', 'N']],
    ["a\\tb\\n\\0\\\\\\'", ["a\tb\n\0\\'"]],
    ['\uFEFFbom\tö', ['\uFEFFbom', 'ö']],
    ['end\\', ['end\\']],
  ])('%j is read as %j', (line, cells) => {
    expect(readCells(Buffer.from(line))).toEqual(cells)
    // The same beside a cell that is no UTF-8.
    const mixed = Buffer.concat([Buffer.from(`${line}\t`), Buffer.from([0xff, 0x41])])
    expect(readCells(mixed)).toEqual([...cells, '\\xFFA'])
  })

  it('keeps the escapes within values that are printed with quotes', () => {
    const forms = ['Array(String)', 'String', 'Map(String, UInt8)', 'Nullable(String)'].map(cellForm)
    expect(forms).toEqual(['literal', 'escaped', 'literal', 'escaped'])
    expect(readCells(Buffer.from("['a\\'b']\ta\\'b"), forms)).toEqual(["['a\\'b']", "a'b"])
  })

  it('is not read where a line has no end', () => {
    const reader = new LineReader()
    const chunk = Buffer.alloc(8 * 1024 * 1024, 'x')
    expect(() => {
      for (let index = 0; index < 5; index += 1) reader.push(chunk)
    }).toThrow(RangeError)
  })
})
