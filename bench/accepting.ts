import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const limitMs = 10_000

/** Waits until something listens on a port of loopback. */
export async function waitUntilAccepting(port: number): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await accepts(port))) {
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port}`)
    await sleep(50)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
