import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { processCommand } from './process-identity.ts'

/** Who listens on a TCP port, as `process 123 (nginx)`; undefined where it cannot be found out (other users, not Linux). */
export function portHolder(port: number): string | undefined {
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return undefined
  for (const pid of readdirOr('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of readdirOr(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkOr(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined && inodes.has(inode)) return `process ${pid} (${processCommand(Number(pid))})`
    }
  }
  return undefined
}

/** Socket inodes in state LISTEN (0A) on the port, from proc_net_tcp(5). */
function listeningInodes(port: number): Set<string> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readOr(table).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] === '0A' && fields[1]?.endsWith(`:${hexPort}`) && fields[9]) inodes.add(fields[9])
    }
  }
  return inodes
}

// Processes end, and those of other users are closed to us, while we look: what cannot be read is not the answer.
function readdirOr(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function readlinkOr(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
