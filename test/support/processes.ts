import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Process ids of the gateway workers that a supervisor started. */
export function gatewayProcesses(supervisorPid: number): number[] {
  return descendants(supervisorPid).filter((pid) => commandLine(pid).includes('gateway'))
}

/** Process id of the control plane that a supervisor started; undefined while it is being started again. */
export function controlProcess(supervisorPid: number): number | undefined {
  return descendants(supervisorPid).find((pid) => commandLine(pid).trimEnd().endsWith(' control'))
}

/** Process id of the Postgres server of a cluster (its home: the metadata, or an instance), as its pid file says. */
export function postmaster(clusterHome: string): number {
  const pid = Number(read(join(clusterHome, 'data', 'postmaster.pid')).split('\n')[0])
  if (!Number.isInteger(pid) || pid < 2) throw new Error(`no server runs in ${clusterHome}`)
  return pid
}

export function isAlive(pid: number): boolean {
  const stat = read(`/proc/${pid}/stat`)
  return stat !== '' && !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
}

/** Process ids of everything that a process started, directly or not. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const stat = read(`/proc/${name}/stat`)
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const children = (of: number): number[] =>
    [...parents].filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...children(child)])
  return children(pid)
}

/** Resident memory of a process. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1]
  if (kilobytes === undefined) throw new Error(`process ${pid} is gone`)
  return Number(kilobytes) * 1024
}

/** Program and arguments of a process, with spaces between; empty when it has ended. */
export function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
}

/** The file's content; empty when the process has ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
