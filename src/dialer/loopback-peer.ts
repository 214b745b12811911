import { readdir, readFile, readlink } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * Whether the other end of a loopback connection is a socket of this very process. Where the system does not tell (no
 * `/proc/net/tcp`), it is taken for ours.
 */
export async function isOfThisProcess(socket: Socket): Promise<boolean> {
  const { remotePort, localPort } = socket
  if (remotePort === undefined || localPort === undefined) return false
  const table = await readFile('/proc/net/tcp', 'latin1').catch(() => undefined)
  if (table === undefined) return true
  // The peer's row: its local address is what is remote to us.
  const from = `0100007F:${hexPort(remotePort)}`
  const to = `0100007F:${hexPort(localPort)}`
  const row = table.split('\n').map((line) => line.trim().split(/\s+/))
  const inode = row.find((columns) => columns[1] === from && columns[2] === to)?.[9]
  return inode !== undefined && holdsSocket(inode)
}

async function holdsSocket(inode: string): Promise<boolean> {
  const descriptors = await readdir('/proc/self/fd')
  for (const descriptor of descriptors) {
    const target = await readlink(`/proc/self/fd/${descriptor}`).catch(() => undefined)
    if (target === `socket:[${inode}]`) return true
  }
  return false
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}
