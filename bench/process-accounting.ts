import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** User and system time that these processes have used so far, all threads, as the operating system counts it. */
export function cpuMs(pids: readonly number[]): number {
  return pids.map(cpuMsOf).reduce((sum, each) => sum + each, 0)
}

/** Resident memory of these processes in KiB. */
export function residentKib(pids: readonly number[]): number {
  return pids
    .map((pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
    .reduce((sum, each) => sum + each, 0)
}

let ticks: number | undefined

function cpuMsOf(pid: number): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in brackets may hold anything; utime and stime are the 12th and 13th field behind it (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticks
}

/** Program and arguments, separated by blanks. */
export function commandLine(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
}
