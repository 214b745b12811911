import type { ReadStream, WriteStream } from 'node:tty'

/** Where a command reads and writes: answers go to standard output, notes and questions to standard error. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream
  /** Columns of the terminal that shows the answer; undefined when it goes to a file or a pipe. */
  readonly columns: number | undefined
  /** A person sits at standard input and reads standard error: only then may a command ask something. */
  readonly isInteractive: boolean
  /** Writes one line of the answer. */
  print(line: string): void
  /** Writes one line for the person, never part of the answer. */
  note(line: string): void
  /** Writes to the person as it is: prompts and progress. */
  write(text: string): void
  /** Stops and resumes the echo of what is typed; does nothing where nobody types. */
  setEcho(on: boolean): void
  /** Calls back on Ctrl-C instead of ending the process, until the returned function is called. */
  onInterrupt(callback: () => void): () => void
}

/** The terminal, files or pipes that the process was started with. */
export function processTerminal(): Terminal {
  const stdin: ReadStream = process.stdin
  const stdout: WriteStream = process.stdout
  const stderr: WriteStream = process.stderr
  return {
    stdin,
    columns: stdout.isTTY ? stdout.columns || 80 : undefined,
    isInteractive: stdin.isTTY && stderr.isTTY,
    print: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    write: (text) => void stderr.write(text),
    setEcho: (on) => void (stdin.isTTY && stdin.setRawMode(!on)),
    onInterrupt(callback) {
      process.on('SIGINT', callback)
      return () => void process.off('SIGINT', callback)
    },
  }
}
