import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '../../src/base/error-table.ts'
import { readRepositoryFile, repositoryFiles } from '../support/repository.ts'

const files = repositoryFiles('src')
const sources = files.filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))

/** Files that hold one table, however long it grows. */
const tables = new Set(['src/base/error-table.ts', 'src/config/options.ts', 'src/crypto/saslprep-tables.ts'])

interface Line {
  readonly file: string
  readonly number: number
  readonly text: string
}

const lines: readonly Line[] = sources.flatMap((file) =>
  readRepositoryFile(file)
    .split('\n')
    .map((text, index) => ({ file, number: index + 1, text })),
)

/** Places in src, as `file:line text`, where a pattern stands in code (comment lines do not count). */
function places(pattern: RegExp, except: (file: string) => boolean = () => false): string[] {
  return lines
    .filter(({ file, text }) => !except(file) && !/^\s*(\/\/|\*|\/\*)/.test(text) && pattern.test(text))
    .map(({ file, number, text }) => `${file}:${number} ${text.trim()}`)
}

const below =
  (...folders: string[]) =>
  (file: string) =>
    folders.some((folder) => file.startsWith(folder))

describe('a source file', () => {
  it('is short enough to hold one idea: at most 300 lines', () => {
    const long = sources.map((file) => [file, readRepositoryFile(file).split('\n').length - 1] as const)
    expect(long.filter(([file, count]) => count > 300 && !tables.has(file))).toEqual([])
  })

  it('is named in kebab-case and stands in no folder without a subject', () => {
    expect(
      files.filter(
        (file) => !/^[a-z0-9.-]+\.(ts|sql|json|md)$|^README\.md$|^\d{4}_/.test(file.split('/').at(-1) ?? ''),
      ),
    ).toEqual([])
    expect(files.filter((file) => /\/(utils?|helpers?|common|lib|misc)(\/|\.ts$)/.test(file))).toEqual([])
  })

  it('leaves nothing for later', () => {
    expect(places(/\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([])
    expect(lines.filter(({ text }) => /\/\/.*\b(TODO|FIXME|XXX|HACK)\b/.test(text))).toEqual([])
  })

  it('names in @throws only codes of the error table', () => {
    const named = lines.flatMap(({ file, number, text }) => {
      const codes = /@throws\b.*/.exec(text)?.[0].match(/\b[A-Z][A-Z]+(_[A-Z]+)+\b|\bINTERNAL\b/g) ?? []
      return codes.map((code) => ({ place: `${file}:${number}`, code }))
    })
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter(({ code }) => !(code in ERRORS))).toEqual([])
  })
})

describe('the README of a folder of src', () => {
  const readmes = files.filter((file) => /^src\/[^/]+\/README\.md$/.test(file))

  it.each(readmes)('%s names entry files whose functions and classes say what they do', (readme) => {
    const text = readRepositoryFile(readme)
    // The sentence or list item that begins with "Entry", up to the next one; a README without it counts as a whole.
    const entry = /^(?:- )?\**Entry[^]*?(?=\n\n|\n- |$(?!\n))/m.exec(text)?.[0] ?? text
    const names = (entry.match(/`[a-z0-9-]+\.ts`/g) ?? []).map((name) => join(dirname(readme), name.slice(1, -1)))
    const named = names.filter((file) => files.includes(file))
    expect(named).not.toEqual([])
    expect(named.flatMap(undocumented)).toEqual([])
  })
})

/** Exported functions and classes of a file without a comment above them. */
function undocumented(file: string): string[] {
  const text = readRepositoryFile(file).split('\n')
  const isBare = (line: string, index: number) =>
    /^export (async )?(function\*?|abstract class|class) /.test(line) && !text[index - 1]?.endsWith('*/')
  return text.filter(isBare).map((line) => `${file}: ${line}`)
}

describe('what must stay in one place', () => {
  it('reads the environment in config, to which main.ts hands it', () => {
    expect(places(/process\.env|Bun\.env|import\.meta\.env/, below('src/config/', 'src/main.ts'))).toEqual([])
  })

  it('calls the runtime by its own name in transport/bun alone', () => {
    expect(places(/\bBun\.|globalThis\.Bun/, below('src/transport/bun/'))).toEqual([])
  })

  it('asks the clock it was given, wherever a time decides', () => {
    const decides = below(
      ...['keys', 'identity', 'access', 'oauth', 'instances', 'crypto'].map((name) => `src/${name}/`),
    )
    expect(places(/\bDate\.now\(\)|new Date\(\)/, (file) => !decides(file))).toEqual([])
  })

  it('writes to the console nowhere: there is a logger, and the command line has its terminal', () => {
    expect(places(/\bconsole\.\w+\(/)).toEqual([])
  })

  it('decides by code and never by the text of an error', () => {
    expect(places(/\.message\.(includes|match|startsWith|endsWith|search)\(|\.test\([^)]*\.message\)/)).toEqual([])
  })
})

describe('a secret', () => {
  it('is never revealed into a log line, an error or an audit record', () => {
    const sinks =
      /\b(log|logger|console)\b[\w.]*\.(trace|debug|info|warn|error|fatal)\(|new \w*Error\(|recordAudit\(|audit\w*\.(write|record)\(/
    expect(places(new RegExp(`(${sinks.source}).*\\.reveal\\(`))).toEqual([])
  })

  it('is never revealed at the top of a module, where it would live as long as the process', () => {
    expect(places(/^(export )?const .*\.reveal\(/)).toEqual([])
  })
})
