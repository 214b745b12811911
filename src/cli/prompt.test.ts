import { describe, expect, test } from 'vitest'
import { recordedTerminal } from '../../test/support/recorded-terminal.ts'
import { confirm, promptSecret } from './prompt.ts'
import { readSecret } from './read-secret.ts'

describe('a question for a secret', () => {
  test('never shows what is typed, and lets the terminal echo again afterwards', async () => {
    const { terminal, notes, echo } = recordedTerminal({ isInteractive: true, typed: 'hunter2\r' })
    expect((await promptSecret(terminal, 'Password: ', '')).reveal()).toBe('hunter2')
    expect(notes()).toBe('Password: \n')
    expect(echo).toEqual([false, true])
  })

  test('takes back what was typed wrong', async () => {
    const typed = 'wrong\u0015hunteü\u007fr2\n'
    const { terminal } = recordedTerminal({ isInteractive: true, typed })
    expect((await promptSecret(terminal, 'Password: ', '')).reveal()).toBe('hunter2')
  })

  test('ends on Ctrl-C with the echo switched on again', async () => {
    const { terminal, echo } = recordedTerminal({ isInteractive: true, typed: 'hun\u0003' })
    await expect(promptSecret(terminal, 'Password: ', '')).rejects.toMatchObject({ failure: 'interrupted' })
    expect(echo).toEqual([false, true])
  })

  test('is not asked where nobody sits: the way without a terminal is named', async () => {
    const { terminal } = recordedTerminal({ typed: 'hunter2\n' })
    await expect(readSecret(terminal, undefined, 'Password: ', '--password-file')).rejects.toMatchObject({
      failure: 'caller',
      hint: 'Give it with --password-file FILE, or - for standard input.',
    })
  })
})

describe('a secret from standard input', () => {
  test('loses one line break at its end and nothing else', async () => {
    const { terminal } = recordedTerminal({ typed: ' hunter2 \r\n' })
    expect((await readSecret(terminal, '-', '', '--password-file')).reveal()).toBe(' hunter2 ')
  })

  test('may not be empty or endless', async () => {
    await expect(readSecret(recordedTerminal({ typed: '\n' }).terminal, '-', '', '--password-file')).rejects.toThrow(
      /is empty/,
    )
    const endless = recordedTerminal({ typed: 'x'.repeat(65 * 1024) })
    await expect(readSecret(endless.terminal, '-', '', '--password-file')).rejects.toThrow(/longer than 64 KiB/)
  })
})

describe('a confirmation', () => {
  test.each(['y\r', 'Yes\r'])('%j goes ahead', async (typed) => {
    const { terminal, notes } = recordedTerminal({ isInteractive: true, typed })
    await confirm(terminal, 'Delete it?')
    expect(notes()).toMatch(/^Delete it\? \[y\/N\] /)
  })

  test.each(['\r', 'n\r', 'yeah\r', '\u0004'])('%j does nothing', async (typed) => {
    const { terminal } = recordedTerminal({ isInteractive: true, typed })
    await expect(confirm(terminal, 'Delete it?')).rejects.toMatchObject({ failure: 'interrupted' })
  })

  test('needs --yes where nobody can be asked', async () => {
    await expect(confirm(recordedTerminal({ typed: 'y\n' }).terminal, 'Delete it?')).rejects.toMatchObject({
      failure: 'caller',
      hint: 'Add --yes to go ahead without a question.',
    })
  })
})
