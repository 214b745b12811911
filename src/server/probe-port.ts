import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { PosternError } from '../base/errors.ts'
import { portHolder } from './port-holder.ts'

/** A worker of a killed supervisor closes its listener at once, but not at the same instant. */
const PATIENCE_MS = 1_000

/**
 * Proves that a port is free, by listening on it alone for a moment: a listener with SO_REUSEPORT would not notice that an
 * orphan still answers there.
 * @param port 0 chooses a free one
 * @param option how to choose another, for the message
 * @returns the port
 * @throws PosternError PORT_IN_USE naming the holder where it can be found | CONFIG_INVALID
 */
export async function probePort(host: string, port: number, option: string): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await listenBriefly(host, port)
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code
      if (code !== 'EADDRINUSE') throw cannotListen(host, port, option, cause)
      if (Date.now() > deadline) throw inUse(host, port, option, cause)
      await sleep(50)
    }
  }
}

const PORTS_TRIED = 50

/**
 * The port itself when it is free, else the next one that is: for the demo, where any port will do.
 * @throws PosternError PORT_IN_USE | CONFIG_INVALID
 */
export async function nextFreePort(host: string, port: number, option: string): Promise<number> {
  for (let candidate = port; candidate < port + PORTS_TRIED && candidate < 65_536; candidate++) {
    try {
      await listenBriefly(host, candidate)
      return candidate
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cannotListen(host, candidate, option, cause)
    }
  }
  throw inUse(host, port, option, undefined)
}

function listenBriefly(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      const taken = typeof address === 'object' && address ? address.port : port
      server.close(() => resolve(taken))
    })
  })
}

function inUse(host: string, port: number, option: string, cause: unknown): PosternError {
  const holder = portHolder(port)
  return new PosternError('PORT_IN_USE', `${holder ?? 'Another process'} listens on ${host}:${port}.`, {
    hint: `Stop it, or choose another port with ${option} (0 takes any free one).`,
    cause,
  })
}

function cannotListen(host: string, port: number, option: string, cause: unknown): PosternError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'error'
  const hint =
    code === 'EACCES'
      ? `Ports below 1024 are for root; choose another with ${option}.`
      : 'Check that the address belongs to this machine.'
  return new PosternError('CONFIG_INVALID', `Postern cannot listen on ${host}:${port} (${code}).`, { hint, cause })
}
