import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The documents against the tree: what they name exists, what they link to is there, and they keep to GLOSSARY.md. */
const root = join(import.meta.dirname, '../..')
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const documents = files.filter((file) => file.endsWith('.md'))
/** Documents that describe the tree, so that a path in them has to exist. */
const maps = documents.filter((file) =>
  /^(README|ARCHITECTURE|CONTRIBUTING|SECURITY|GLOSSARY)\.md$|\/README\.md$|^docs\/design\//.test(file),
)
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** Code between single backticks, outside fenced blocks. */
function codeSpans(markdown: string): string[] {
  return [...withoutFences(markdown).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
}

/** Files that a drawing in a fenced block names. */
function drawnFiles(markdown: string): string[] {
  const blocks = markdown.matchAll(/^( *)```\n([\s\S]*?)^\1```/gm)
  return [...blocks].flatMap(([, , block = '']) => block.match(/[a-z][\w/-]*\.ts\b/g) ?? [])
}

function withoutFences(markdown: string): string {
  return markdown.replace(/^( *)```[^\n]*\n[\s\S]*?^\1```/gm, '')
}

/** What a reader sees as prose: no fenced blocks, no code spans, no link targets. */
function prose(markdown: string): string {
  return withoutFences(markdown)
    .replace(/`[^`\n]+`/g, '')
    .replace(/\]\([^)]*\)/g, ']')
    .replace(/\s+/g, ' ')
}

const sourceFolders = new Set(files.filter((file) => file.startsWith('src/')).map((file) => file.split('/')[1]))
const topLevel = new Set(files.map((file) => file.split('/')[0]))

/** A code span that names a file or a folder of this repository: a known first folder, or a file ending that we use. */
function isRepositoryPath(span: string): boolean {
  if (!/^\.?[\w-][\w./-]*$/.test(span) || span.startsWith('./')) return false
  const first = span.split('/')[0]
  const inTree = span.includes('/') && (topLevel.has(first) || sourceFolders.has(first))
  return inTree || /\.(ts|cjs|sql|md)$/.test(span)
}

/** A path may be written from the root, from `src/`, or from the folder of the document; a file name alone, anywhere below that folder. */
function exists(span: string, document: string): boolean {
  const folder = dirname(document)
  if (['', 'src', folder].some((base) => existsSync(join(root, base, span)))) return true
  return (
    !span.includes('/') &&
    files.some((file) => file.endsWith(`/${span}`) && (folder === '.' || file.startsWith(`${folder}/`)))
  )
}

/** Anchor of a heading, as GitHub makes it. */
function anchors(markdown: string): Set<string> {
  const headings = withoutFences(markdown).matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  )
}

describe('paths', () => {
  test.each(maps)('%s names only what exists', (document) => {
    const text = read(document)
    const named = [...codeSpans(text).filter(isRepositoryPath), ...drawnFiles(text)]
    const missing = named.filter((path) => !exists(path, document))
    expect(missing).toEqual([])
  })
})

describe('links', () => {
  test.each(documents)('every relative link of %s leads somewhere', (document) => {
    const links = [...withoutFences(read(document)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? document : normalize(join(dirname(document), path))
      if (!existsSync(join(root, target))) return true
      if (anchor === undefined || statSync(join(root, target)).isDirectory()) return false
      return !anchors(read(target)).has(anchor)
    })
    expect(broken).toEqual([])
  })

  test.each(documents)('%s has at most one first heading', (document) => {
    expect(withoutFences(read(document)).match(/^# /gm)?.length ?? 0).toBeLessThanOrEqual(1)
  })
})

describe('folder READMEs', () => {
  const folders = [...sourceFolders].filter(
    (folder) => existsSync(join(root, `src/${folder}`)) && statSync(join(root, `src/${folder}`)).isDirectory(),
  )

  test.each(folders)('src/%s says in at most 15 lines what it is for', (folder) => {
    const lines = read(`src/${folder}/README.md`).trimEnd().split('\n')
    expect(lines.length).toBeLessThanOrEqual(15)
  })
})

interface AvoidedWord {
  readonly word: string
  readonly allowedPhrases: readonly string[]
}

/** The `_Avoid_: a, b (fine in: x, y).` parts of GLOSSARY.md. */
function avoidedWords(glossary: string): AvoidedWord[] {
  const parts = glossary.split(/\n\n+/).flatMap((paragraph) => /_Avoid_: ([\s\S]+)$/.exec(paragraph)?.[1] ?? [])
  return parts.flatMap((part) => {
    const [, words = '', phrases = ''] = /^([^(]+)(?:\(fine in: ([\s\S]+)\))?\.\s*$/.exec(part) ?? []
    const list = (text: string) =>
      text
        .replace(/\s+/g, ' ')
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== '')
    return list(words).map((word) => ({ word, allowedPhrases: list(phrases) }))
  })
}

/** Where an avoided word stands although none of its allowed phrases covers it. */
function uses(text: string, { word, allowedPhrases }: AvoidedWord): string[] {
  const covered = allowedPhrases.reduce((rest, phrase) => rest.replace(new RegExp(`\\b${phrase}s?\\b`, 'gi'), ''), text)
  return [...covered.matchAll(new RegExp(`.{0,40}\\b${word}s?\\b.{0,20}`, 'gi'))].map(([around]) => around)
}

describe('GLOSSARY.md', () => {
  const avoided = avoidedWords(read('GLOSSARY.md'))
  const contract = files.filter((file) => file.startsWith('src/contract/') && file.endsWith('.ts'))
  /** Not the promises, which quote the documents word for word, nor what is generated from the tables. */
  const prosePages = documents.filter(
    (file) =>
      /^docs\/(guide|design)\//.test(file) ||
      ['README.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CONTRIBUTING.md'].includes(file),
  )

  test('names words to avoid', () => {
    expect(avoided.map(({ word }) => word)).toEqual(
      expect.arrayContaining(['tenant', 'account', 'connection', 'proxy']),
    )
  })

  test.each([...contract, ...prosePages])('%s keeps to its words', (file) => {
    // Snowflake's own word, as the name of a field; and an allowed phrase has a hyphen in the name of a file.
    const text = file.endsWith('.md')
      ? prose(read(file))
      : read(file).replace(/'account'|\baccount(?=: ')|(?<= from )'[^']+'/g, '')
    expect(avoided.flatMap((word) => uses(text, word))).toEqual([])
  })

  test.each(prosePages.filter((file) => !file.startsWith('docs/design/')))('%s never says "role" alone', (file) => {
    const text = prose(read(file)).replace(
      /\b(Postgres|workspace|Snowflake|IAM|native|bound|unbound|group|administrators['’]|group's) roles?\b/gi,
      '',
    )
    const bare = [...text.matchAll(/.{0,40}\broles?\b.{0,20}/gi)].map(([around]) => around)
    expect(bare.filter((around) => !/\brole (oid|name|login|binding)/i.test(around))).toEqual([])
  })
})
