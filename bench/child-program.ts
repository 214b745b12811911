import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'

/** A file of this folder that runs in a process of its own. */
export interface ChildProgram {
  readonly pid: number
  /** The first line it printed. */
  readonly line: string
  /** Closes its standard input and waits for its end. */
  stop(): Promise<void>
}

/** Starts it and waits for its first line. */
export async function startChildProgram(file: string, options: object): Promise<ChildProgram> {
  const child = spawn(process.execPath, [join(import.meta.dirname, file)], {
    env: { ...process.env, BENCH_OPTIONS: JSON.stringify(options) },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const killAtExit = (): void => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
  })
  return {
    pid: child.pid ?? -1,
    line,
    async stop() {
      process.off('exit', killAtExit)
      child.stdin.end()
      await exited
    },
  }
}
