import { spawn } from 'node:child_process'

export interface ProgramEnd {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningProgram {
  readonly pid: number
  readonly ended: Promise<ProgramEnd>
  stdout(): string
  stderr(): string
  /** Writes to its standard input. */
  type(text: string): void
  closeInput(): void
  /** Signals the program itself, as Ctrl-C in a terminal would with SIGINT. */
  signal(signal: NodeJS.Signals): void
}

interface ProgramOptions {
  readonly env: Readonly<Record<string, string>>
  readonly input?: string
  /** Keep standard input open for {@link RunningProgram.type}. */
  readonly keepInputOpen?: boolean
  readonly cwd?: string
  /** The program is killed after this time and `ended` rejects. Default 30 seconds. */
  readonly timeoutMs?: number
}

/** Starts a program in a process group of its own with exactly the environment given, and PATH. Bounded in time. */
export function startProgram(command: string, args: readonly string[], options: ProgramOptions): RunningProgram {
  const timeoutMs = options.timeoutMs ?? 30_000
  const child = spawn(command, args, {
    detached: true,
    cwd: options.cwd,
    env: { ...passedOn(), ...options.env },
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A program that ends before it has read everything closes the pipe; its exit code tells the story.
  child.stdin.on('error', () => undefined)
  if (!options.keepInputOpen) child.stdin.end(options.input ?? '')

  const stdout = () => Buffer.concat(out).toString('utf8')
  const stderr = () => Buffer.concat(err).toString('utf8')
  const ended = new Promise<ProgramEnd>((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(child.pid)
      reject(new Error(`${command} took more than ${timeoutMs} ms\n${stdout()}\n${stderr()}`))
    }, timeoutMs)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ code, signal, stdout: stdout(), stderr: stderr() })
    })
  })
  // Whoever awaits it sees the rejection; a test that failed before that must not bring the whole run down.
  ended.catch(() => undefined)
  return {
    pid: child.pid ?? -1,
    ended,
    stdout,
    stderr,
    type: (text) => child.stdin.write(text),
    closeInput: () => child.stdin.end(),
    signal: (signal) => child.kill(signal),
  }
}

/** What a program needs of our own environment: where programs are, and what marks it as part of this test run. */
function passedOn(): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'POSTERN_TEST_RUN']
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  )
}

/** Runs a program to its end. */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<ProgramEnd> {
  return startProgram(command, args, options).ended
}

/** Kills every process of the group that `leader` leads; one that is gone already is fine. */
export function killGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // ESRCH: it has ended meanwhile.
  }
}
