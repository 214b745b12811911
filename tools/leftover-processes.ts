// Finds processes that a test run started and did not end. A run marks its environment and keeps its files in one folder;
// a process belongs to it when it carries the mark, or works in that folder or names it in its arguments (Postgres
// overwrites its environment to show its state, so the mark alone is not enough). Linux only: elsewhere it finds none.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface LeftoverProcess {
  readonly pid: number
  readonly command: string
}

/**
 * @param mark text of the form NAME=value that stands in the environment of the run
 * @param folder the folder of the run
 */
export function leftoverProcesses(mark: string, folder: string): LeftoverProcess[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && belongs(pid, mark, folder))
    .map((pid) => ({ pid, command: commandLine(pid).trim() || `process ${pid}` }))
}

function belongs(pid: number, mark: string, folder: string): boolean {
  try {
    if (stateOf(pid) === 'Z') return false
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    if (environment.includes(mark)) return true
    const workingFolder = readlinkSync(`/proc/${pid}/cwd`)
    return workingFolder.startsWith(folder) || commandLine(pid).includes(folder)
  } catch {
    // It has ended meanwhile, or it is another user's: neither is ours to report.
    return false
  }
}

/** One letter, `Z` for a process that has ended and waits for its parent (proc(5), /proc/pid/stat, third field). */
function stateOf(pid: number): string | undefined {
  return /^\d+ \(.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}
