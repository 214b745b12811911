import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { descendants } from '../test/support/processes.ts'

/** User and system time that these processes have used so far, all threads, as the operating system counts it. */
export function cpuMs(pids: readonly number[]): number {
  return pids.map(cpuMsOf).reduce((sum, each) => sum + each, 0)
}

/** User and system time of what a process started and what has ended since. */
export function cpuMsOfEndedChildren(pid: number): number {
  const fields = statFields(pid)
  return ((Number(fields[13]) + Number(fields[14])) * 1000) / ticksPerSecond()
}

/** The same, and of what runs still. */
export function cpuMsOfChildren(pid: number): number {
  const running = descendants(pid).map((child) => {
    try {
      return cpuMsOf(child)
    } catch {
      return 0 // it ended meanwhile
    }
  })
  return cpuMsOfEndedChildren(pid) + running.reduce((sum, each) => sum + each, 0)
}

/** Resident memory of these processes in KiB. */
export function residentKib(pids: readonly number[]): number {
  return pids
    .map((pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
    .reduce((sum, each) => sum + each, 0)
}

let ticks: number | undefined

function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

/** utime, stime, cutime and cstime are the 12th to 15th field behind the name (proc_pid_stat(5)). */
function cpuMsOf(pid: number): number {
  const fields = statFields(pid)
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond()
}

function statFields(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Program and arguments, separated by blanks. */
export function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
}
