import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * The table of promises against the sentences of the two documents. The documents themselves are not in the repository: the
 * fixture holds their sentences, and a digest of each document's letters, so that a sentence lost from the fixture shows too.
 */
const root = join(import.meta.dirname, '../..')
const fixture = JSON.parse(readFileSync(join(import.meta.dirname, 'promised-sentences.json'), 'utf8')) as {
  documents: { id: string; title: string; lettersSha256: string }[]
  sentences: { id: string; sentence: string }[]
}

interface PromiseRow {
  readonly id: string
  readonly sentence: string
  readonly decision: string
  readonly how: string
  readonly shownBy: string
}

const rows = readPromiseRows(readFileSync(join(root, 'docs/promises.md'), 'utf8'))
const testFiles = ['src', 'test', 'tools'].flatMap((folder) => listTestFiles(join(root, folder)))

function readPromiseRows(markdown: string): PromiseRow[] {
  return markdown
    .split('\n')
    .filter((line) => /^\| *D\d-\d+ *\|/.test(line))
    .map((line) => {
      const [, id = '', sentence = '', decision = '', how = '', shownBy = ''] = line
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim())
      return { id, sentence: plainText(sentence), decision, how, shownBy }
    })
}

/** The text that a reader of the rendered cell sees. */
function plainText(cell: string): string {
  return cell.replace(/\\([<>*|_{}$`\\[\]])/g, '$1').replaceAll('&amp;', '&')
}

function listTestFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
}

/** Ids in square brackets inside the names of tests and suites. */
function idsInTestNames(source: string): Set<string> {
  const names = source.matchAll(/\b(?:test|it|describe)\b[^'"`\n]*\(\s*(['"`])((?:(?!\1).)*)\1/gs)
  return new Set(
    [...names].flatMap(([, , name = '']) => [...name.matchAll(/\[(D\d-\d{3})\]/g)].map(([, id = '']) => id)),
  )
}

/** The test file that a cell names, or undefined when it names an area. */
function namedTestFile(row: PromiseRow): string | undefined {
  return /`([^`]+\.test\.ts)`/.exec(row.shownBy)?.[1]
}

describe('docs/promises.md', () => {
  for (const { id, title, lettersSha256 } of fixture.documents) {
    test(`the fixture holds every letter of "${title}"`, () => {
      const text = fixture.sentences.filter((each) => each.id.startsWith(`${id}-`)).map((each) => each.sentence)
      const letters = text.join('').replace(/[^\p{L}]/gu, '')
      expect(createHash('sha256').update(letters).digest('hex')).toBe(lettersSha256)
    })
  }

  test('has one row for every sentence, verbatim and in order', () => {
    expect(rows.map(({ id, sentence }) => ({ id, sentence }))).toEqual(fixture.sentences)
  })

  test('numbers the sentences without a gap or a repetition', () => {
    for (const { id } of fixture.documents) {
      const numbers = rows
        .filter((row) => row.id.startsWith(`${id}-`))
        .map((row) => Number(row.id.slice(id.length + 1)))
      expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    }
  })

  test('knows four decisions', () => {
    const unknown = rows.filter((row) => !['done', 'adapted', 'later', 'not applicable'].includes(row.decision))
    expect(unknown).toEqual([])
  })

  test('says why a row is not applicable or adapted', () => {
    const silent = rows.filter((row) => ['adapted', 'not applicable'].includes(row.decision) && row.how === '')
    expect(silent).toEqual([])
  })

  test('names the part of the product that will bring what is later', () => {
    const vague = rows.filter((row) => row.decision === 'later' && !/^[A-Za-z][A-Za-z -]+$/.test(row.shownBy))
    expect(vague).toEqual([])
  })

  test('names a test for every row that is done', () => {
    const unproven = rows.filter((row) => row.decision === 'done' && namedTestFile(row) === undefined)
    expect(unproven).toEqual([])
  })

  test('names only tests that exist and carry the id of the row', () => {
    const broken = rows.filter((row) => {
      const file = namedTestFile(row)
      if (file === undefined) return false
      return !existsSync(join(root, file)) || !idsInTestNames(readFileSync(join(root, file), 'utf8')).has(row.id)
    })
    expect(broken).toEqual([])
  })

  test('knows every id that a test carries in its name', () => {
    const known = new Set(rows.map((row) => row.id))
    const strangers = testFiles.flatMap((file) =>
      [...idsInTestNames(readFileSync(file, 'utf8'))]
        .filter((id) => !known.has(id))
        .map((id) => `${relative(root, file)}: ${id}`),
    )
    expect(strangers).toEqual([])
  })
})
