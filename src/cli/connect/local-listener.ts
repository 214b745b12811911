import { createServer, type AddressInfo, type Socket } from 'node:net'
import { CliError } from '../cli-error.ts'

/** A port of this machine on which local tools find the gateway. */
export interface LocalListener {
  readonly port: number
  /** Takes no more, and closes what is open. */
  close(): Promise<void>
}

/** Loopback alone: whoever reaches this port acts as the person who opened it. */
export const LOCAL_HOST = '127.0.0.1'

/**
 * @param port 0 takes any free one
 * @throws CliError conflict when the port is taken
 */
export async function listenLocally(port: number, serve: (client: Socket) => Promise<void>): Promise<LocalListener> {
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.once('close', () => clients.delete(client))
    void serve(client)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(explain(cause, port)))
    server.listen(port, LOCAL_HOST, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const client of clients) client.destroy()
      await closed
    },
  }
}

function explain(cause: NodeJS.ErrnoException, port: number): CliError {
  if (cause.code === 'EADDRINUSE') {
    return new CliError('conflict', `port ${port} of this machine is taken`, {
      hint: 'Choose another with --port; 0 takes any free one.',
      cause,
    })
  }
  return new CliError('caller', `port ${port} of this machine cannot be opened (${cause.code})`, {
    hint: 'Choose another with --port.',
    cause,
  })
}
