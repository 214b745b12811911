import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseStartupOptions } from './startup-options.ts'

const found = (endpoint: string | undefined, forwarded: string) => ({ kind: 'options', endpoint, forwarded })

describe('the instance in the options parameter', () => {
  test.each([
    ['endpoint=shop', 'shop', ''],
    ['  endpoint=shop\t', 'shop', ''],
    ['-c postern.instance=shop', 'shop', ''],
    ['-c\n postern.instance=shop', 'shop', ''],
    ['-cpostern.instance=shop', 'shop', ''],
    ['--postern.instance=shop', 'shop', ''],
    ['-c search_path=a endpoint=shop --work_mem=1MB', 'shop', '-c search_path=a --work_mem=1MB'],
    ['endpoint=shop --postern.instance=shop', 'shop', ''],
    ['endpoint=sh\\op', 'shop', ''],
    ['endpoint=a\\ b', 'a b', ''],
    ['endpoint= -c x=y', undefined, '-c x=y'],
    ['\\  endpoint=shop \\ ', 'shop', '\\  \\ '],
  ])('%j', (options, endpoint, forwarded) => {
    expect(parseStartupOptions(options)).toEqual(found(endpoint, forwarded))
  })

  test('named twice differently is a conflict', () => {
    expect(parseStartupOptions('endpoint=shop -c postern.instance=bank')).toEqual({
      kind: 'conflict',
      endpoints: ['shop', 'bank'],
    })
  })
})

describe('options that are not ours', () => {
  test.each([
    '',
    ' ',
    '-c search_path=a\\ b\\\\c  -c  x=y',
    'endpoint = shop',
    'project=shop',
    '-c endpoint=shop',
    '-c -c postern.instance=shop',
    '-c search_path=endpoint=shop',
    '--postern.instancex=shop',
    'xendpoint=shop',
    '\\\\endpoint=shop',
    '-c',
    'trailing\\',
  ])('%j is forwarded byte for byte', (options) => {
    expect(parseStartupOptions(options)).toEqual(found(undefined, options))
  })

  test('keep their escapes when something of ours is taken out between them', () => {
    expect(parseStartupOptions('-c search_path=a\\ b endpoint=shop -c x=\\\\')).toEqual(
      found('shop', '-c search_path=a\\ b -c x=\\\\'),
    )
  })

  test('are the same words for Postgres with and without ours', () => {
    const word = fc.string({ unit: fc.constantFrom('a', '=', '-', 'c', ' ', '\\'), minLength: 1 }).map(escapeWord)
    fc.assert(
      fc.property(fc.array(word), fc.array(word), (before, after) => {
        const others = [...before, ...after]
        fc.pre(others.every((each) => !each.startsWith('-c')))
        const parsed = parseStartupOptions([...before, 'endpoint=shop', ...after].join(' '))
        expect(parsed).toEqual(found('shop', others.join(' ')))
      }),
    )
  })
})

function escapeWord(word: string): string {
  return word.replaceAll(/[\\ ]/g, (character) => `\\${character}`)
}
