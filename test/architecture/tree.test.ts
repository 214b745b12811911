import { describe, expect, it } from 'vitest'
import { readRepositoryFile, repositoryFiles } from '../support/repository.ts'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readRepositoryFile('package.json')) as Manifest
const packages = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
const lockFile = 'package-lock.json'
const texts = repositoryFiles()
  .filter((file) => file !== lockFile && /\.(ts|mjs|cjs|json|md|sql|yml|yaml)$|^(bin|\.ci)\//.test(file))
  .map((file) => ({ file, text: readRepositoryFile(file) }))

/** Places in the tree, as `file: match`. */
function matches(pattern: RegExp): string[] {
  return texts.flatMap(({ file, text }) =>
    (text.match(new RegExp(pattern, 'gm')) ?? []).map((found) => `${file}: ${found}`),
  )
}

describe('the dependencies', () => {
  it.each(packages)('pin %s exactly', (_name, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[0-9a-z.]+)?$/)
  })

  it.each(packages)('give a reason for %s and its version in docs/design/dependencies.md', (name, version) => {
    const cells = readRepositoryFile('docs/design/dependencies.md')
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
    const row = cells.find(([, first]) => first === `\`${name}\``)
    expect(row?.[2]).toBe(version)
    expect(row?.[3]).toMatch(/\w{3}/)
  })

  it('give no reason for a package that is not used', () => {
    const reasoned = readRepositoryFile('docs/design/dependencies.md').match(/^\| `[^`]+`/gm) ?? []
    expect(
      reasoned.map((cell) => cell.slice(3, -1)).filter((name) => !packages.some(([used]) => used === name)),
    ).toEqual([])
  })

  it('are locked by their hash and come from whichever registry npm is set to', () => {
    const lock = JSON.parse(readRepositoryFile(lockFile)) as {
      packages: Record<string, { resolved?: string; integrity?: string }>
    }
    const entries = Object.entries(lock.packages).filter(([path]) => path !== '')
    expect(entries.filter(([, entry]) => entry.resolved !== undefined)).toEqual([])
    expect(entries.filter(([, entry]) => entry.integrity === undefined)).toEqual([])
  })
})

describe('the tree', () => {
  it('names no folder of the machine it was written on', () => {
    const homes = ['root', 'work(?:space)?', 'mnt', 'home/[a-z]\\w*', 'Users/\\w+'].join('|')
    expect(matches(new RegExp(`(?<![A-Za-z0-9_.~}*-])/(?:${homes})/[\\w.-]+`))).toEqual([])
  })

  it('speaks of itself alone', () => {
    expect(matches(/\bissue #?\d+\b|\bgenerated with\b|\bco-authored-by\b/i)).toEqual([])
  })

  /** Mentioned and never dialled: addresses that must be refused, scopes of OAuth, a namespace of XML, documentation. */
  const mentioned = [
    '169.254.169.254',
    '2852039166',
    'www.googleapis.com',
    'vault.azure.net',
    'v.vault.azure.net',
    'fake.vault.azure.net',
    'sts.amazonaws.com',
    'docs.aws.amazon.com',
  ]

  it('reaches no real host from a test: names end in .test or .invalid, or are loopback', () => {
    const tests = texts.filter(({ file }) => file.startsWith('test/') || file.endsWith('.test.ts'))
    const hosts = tests.flatMap(({ file, text }) =>
      [...text.matchAll(/https?:\/\/(?:[^@\s'"`/]*@)?([a-z0-9.-]+)/g)].map(([, host = '']) => ({ file, host })),
    )
    const isOurs = (host: string) =>
      /(^|\.)(test|invalid|localhost)$|^(127|0x7f)\.|^\[?::1|^(0\.0\.0\.0|10\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.)/.test(
        host,
      )
    expect(hosts.filter(({ host }) => !isOurs(host) && !mentioned.includes(host))).toEqual([])
  })
})
