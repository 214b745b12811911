import { expect, test } from 'vitest'
import { serverCommandHelp, serverCommandUsage, takeOwnFlags } from './server-commands.ts'

test("a command's own options are taken, wherever they stand and however they are written, and the rest is left", () => {
  const expected = {
    files: { '--in': 'b=1' },
    switches: new Set(['--adopt-managed-instances']),
    rest: ['--data-dir', 'd'],
  }
  const flags = ['--data-dir', 'd', '--adopt-managed-instances']
  expect(takeOwnFlags('restore', ['--in', 'b=1', ...flags])).toEqual(expected)
  expect(takeOwnFlags('restore', [...flags, '--in=b=1'])).toEqual(expected)
  // An option of another command is left for the option table, which refuses it by name.
  expect(takeOwnFlags('serve', ['--out', 'x']).rest).toEqual(['--out', 'x'])
})

test('a required option that is missing or empty is named', () => {
  for (const flags of [[], ['--out'], ['--out='], ['--out', '']]) {
    expect(() => takeOwnFlags('backup', flags)).toThrow('postern backup needs --out FILE')
  }
})

test("the help of a command names its own options before everybody's", () => {
  expect(serverCommandUsage('backup')).toBe('postern backup --out FILE')
  expect(serverCommandHelp('restore')).toMatch(/--in <file>[^]*--adopt-managed-instances[^]*--data-dir/)
  expect(serverCommandHelp('serve')).not.toContain('--in <file>')
})
