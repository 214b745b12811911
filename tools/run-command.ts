// Runs one program for the tools: bounded in time, in a process group of its own, so that nothing it started outlives it.

import { spawn } from 'node:child_process'

export interface CommandResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly timedOut: boolean
  readonly elapsedMs: number
  /** stdout and stderr as they came; empty when they were shown directly. */
  readonly output: string
}

interface CommandOptions {
  readonly timeoutMs: number
  /** Show the output as it comes instead of keeping it. */
  readonly show?: boolean
  readonly env?: NodeJS.ProcessEnv
}

/** From SIGTERM to SIGKILL, for a program that took too long: time to end what it started itself. */
const graceMs = 10_000

/** Runs `command` to its end; after `timeoutMs` its whole process group is ended. Ctrl-C reaches it as well. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const startedAt = performance.now()
  const child = spawn(command, args, {
    detached: true,
    env: options.env ?? process.env,
    stdio: ['ignore', options.show ? 'inherit' : 'pipe', options.show ? 'inherit' : 'pipe'],
  })
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))

  let timedOut = false
  let graceTimer: ReturnType<typeof setTimeout> | undefined
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(child.pid, 'SIGTERM')
    graceTimer = setTimeout(() => killGroup(child.pid, 'SIGKILL'), graceMs)
  }, options.timeoutMs)
  const onSignal = (signal: NodeJS.Signals) => killGroup(child.pid, signal)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)

  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer)
      clearTimeout(graceTimer)
      for (const signal of signals) process.off(signal, onSignal)
    }
    child.on('error', (error) => {
      settle()
      reject(error)
    })
    child.on('close', (code) => {
      settle()
      const output = Buffer.concat(chunks).toString('utf8')
      resolve({ code, timedOut, elapsedMs: performance.now() - startedAt, output })
    })
  })
}

/** Signals every process of the group that `leader` leads; a group that is gone already is fine. */
function killGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, signal)
  } catch {
    // ESRCH: it has ended meanwhile.
  }
}
