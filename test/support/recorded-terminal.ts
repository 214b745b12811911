import { PassThrough } from 'node:stream'
import type { Terminal } from '../../src/cli/terminal.ts'

/** A terminal that remembers what a command showed, and types what it is told. */
export function recordedTerminal(
  options: { readonly columns?: number; readonly isInteractive?: boolean; readonly typed?: string } = {},
) {
  const stdin = new PassThrough()
  const printed: string[] = []
  const shown: string[] = []
  const echo: boolean[] = []
  const interrupts: (() => void)[] = []
  if (options.isInteractive !== true) stdin.end(options.typed ?? '')
  else if (options.typed !== undefined) stdin.write(options.typed)
  const terminal: Terminal = {
    stdin,
    columns: options.columns,
    isInteractive: options.isInteractive ?? false,
    print: (line) => void printed.push(line),
    note: (line) => void shown.push(`${line}\n`),
    write: (text) => void shown.push(text),
    setEcho: (on) => void echo.push(on),
    onInterrupt(callback) {
      interrupts.push(callback)
      return () => void interrupts.splice(interrupts.indexOf(callback), 1)
    },
  }
  return {
    terminal,
    /** Standard output. */
    output: () => printed.join('\n'),
    /** Standard error, prompts included. */
    notes: () => shown.join(''),
    /** What was asked of the echo, in order. */
    echo,
    /** Presses Ctrl-C. */
    interrupt: () => [...interrupts].forEach((callback) => callback()),
  }
}
